"""Multipart uploads: whole objects or none, on every backend, for every client, whatever is refused."""

import base64
import hashlib
import io
import json
import pathlib
import threading
import zlib

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from support.clients import aws, rclone, s5cmd
from support.checksums import checksum
from support.multipart import MIB, PART, begin, complete, etag_of, refusal, send, upload_rows


@pytest.fixture
def fresh(world):
    return world.new_bucket()


# Round trips.


def test_parts_become_one_object_with_the_etag_of_aws(world, fresh, payload):
    s3 = world.boto3()
    parts = [payload(PART), payload(PART + 1), payload(3)]
    upload = begin(s3, fresh, ContentType="text/x", Metadata={"a": "b"}, CacheControl="no-cache")
    done = send(s3, fresh, upload, parts, numbers=[1, 7, 10_000])
    assert refusal(lambda: s3.head_object(Bucket=fresh, Key="k"))[0] == 404, "nothing is visible before the end"
    result = complete(s3, fresh, upload, done)
    assert result["ETag"] == etag_of(parts)
    got = s3.get_object(Bucket=fresh, Key="k")
    assert got["Body"].read() == b"".join(parts)
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (etag_of(parts), "text/x", {"a": "b"})
    assert got["CacheControl"] == "no-cache"
    listed = s3.list_objects_v2(Bucket=fresh)["Contents"]
    assert [(each["Key"], each["ETag"], each["Size"]) for each in listed] == [("k", etag_of(parts), 2 * PART + 4)]
    assert s3.list_multipart_uploads(Bucket=fresh).get("Uploads", []) == []


def test_one_part_of_any_size_is_enough(world, fresh):
    s3 = world.boto3()
    for index, body in enumerate((b"", b"x")):
        upload = begin(s3, fresh, f"small-{index}")
        done = send(s3, fresh, upload, [body], f"small-{index}")
        assert complete(s3, fresh, upload, done, f"small-{index}")["ETag"] == etag_of([body])
        assert s3.get_object(Bucket=fresh, Key=f"small-{index}")["Body"].read() == body


def test_a_part_uploaded_again_replaces_the_first(world, fresh, payload):
    s3 = world.boto3()
    upload = begin(s3, fresh)
    first = send(s3, fresh, upload, [payload(PART), b"end"])
    again = payload(PART)
    second = send(s3, fresh, upload, [again])
    assert refusal(lambda: complete(s3, fresh, upload, first)) == (400, "InvalidPart")
    assert complete(s3, fresh, upload, [second[0], first[1]])["ETag"] == etag_of([again, b"end"])
    assert s3.get_object(Bucket=fresh, Key="k")["Body"].read() == again + b"end"


def test_parts_that_are_not_named_are_left_out(world, fresh, payload):
    s3 = world.boto3()
    parts = [payload(PART), payload(PART), b"z"]
    upload = begin(s3, fresh)
    done = send(s3, fresh, upload, parts)
    named = [done[0], done[2]]
    assert complete(s3, fresh, upload, named)["ETag"] == etag_of([parts[0], parts[2]])
    assert s3.get_object(Bucket=fresh, Key="k")["Body"].read() == parts[0] + parts[2]


@pytest.mark.parametrize(
    "sizes, chosen",
    [
        ([PART, 10, 20], [1, 2]),  # the last ones are left out, and the last one named is small
        ([PART, 10, PART, 5], [1, 3]),  # a small one in the middle
        ([7, 8, 9], [3]),
        ([PART, PART + 1, 3, PART, PART, 1], [2, 4, 6]),
        ([10, PART], [1]),
    ],
)
def test_whatever_parts_are_left_out_the_object_is_made_of_the_others(world, fresh, payload, sizes, chosen):
    s3 = world.boto3()
    parts = [payload(size) for size in sizes]
    upload = begin(s3, fresh, Metadata={"a": "b"}, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    done = send(s3, fresh, upload, parts, ChecksumAlgorithm="CRC32")
    wanted = [parts[number - 1] for number in chosen]
    named = [done[number - 1] for number in chosen]
    if chosen in ([1, 2], [1]) and not isinstance(world.backends["fi"], pathlib.Path):
        # radosgw makes no object of a small part with others behind it: the refusal is clear, and the upload goes on.
        assert refusal(lambda: complete(s3, fresh, upload, named)) == (501, "NotImplemented")
        assert len(s3.list_parts(Bucket=fresh, Key="k", UploadId=upload)["Parts"]) == len(parts)
        s3.abort_multipart_upload(Bucket=fresh, Key="k", UploadId=upload)
        return
    assert complete(s3, fresh, upload, named)["ETag"] == etag_of(wanted)
    assert complete(s3, fresh, upload, named)["ETag"] == etag_of(wanted), "once more"
    got = s3.get_object(Bucket=fresh, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"".join(wanted) and got["Metadata"] == {"a": "b"}
    assert got["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"".join(wanted)).to_bytes(4, "big")).decode()
    for number, part in zip(chosen, wanted):
        assert s3.get_object(Bucket=fresh, Key="k", PartNumber=number)["Body"].read() == part
    # Nothing is left on the backends but the one object.
    world.worker_once()
    names = world.query(
        "SELECT r.physical_bucket FROM replicas r JOIN versions v ON v.sequence = r.version_sequence "
        "JOIN buckets b ON b.id = v.bucket_id WHERE b.name = ?",
        fresh.encode(),
    )
    assert len(names) == 1
    if not isinstance(world.backends["fi"], pathlib.Path):
        ((physical,),) = names
        store = next(
            client
            for client in (region.client() for region in world.backends.values())
            if physical in [each["Name"] for each in client.list_buckets()["Buckets"]]
        )
        assert "Uploads" not in store.list_multipart_uploads(Bucket=physical)
        assert len(store.list_objects_v2(Bucket=physical)["Contents"]) == 1


def test_reading_by_part_number(world, fresh, payload):
    s3 = world.boto3()
    parts = [payload(PART), payload(PART + 5), payload(9)]
    upload = begin(s3, fresh, ChecksumAlgorithm="SHA256")
    complete(s3, fresh, upload, send(s3, fresh, upload, parts, ChecksumAlgorithm="SHA256"))
    start = 0
    for number, part in enumerate(parts, 1):
        for call in (s3.get_object, s3.head_object):
            answer = call(Bucket=fresh, Key="k", PartNumber=number)
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
            assert answer["PartsCount"] == 3 and answer["ContentLength"] == len(part)
            assert answer["ResponseMetadata"]["HTTPHeaders"]["content-range"] == (
                f"bytes {start}-{start + len(part) - 1}/{sum(map(len, parts))}"
            )
            if "Body" in answer:
                assert answer["Body"].read() == part
        start += len(part)
    assert refusal(lambda: s3.get_object(Bucket=fresh, Key="k", PartNumber=4)) == (416, "InvalidPartNumber")
    assert s3.get_object(Bucket=fresh, Key="k", Range=f"bytes={PART - 2}-{PART + 1}")["Body"].read() == (
        parts[0][-2:] + parts[1][:2]
    )
    assert "PartsCount" not in s3.head_object(Bucket=fresh, Key="k")


def test_a_bucket_with_versions_keeps_both(world, fresh, payload):
    s3 = world.boto3()
    s3.put_bucket_versioning(Bucket=fresh, VersioningConfiguration={"Status": "Enabled"})
    bodies = [payload(PART) + b"1", payload(PART) + b"2"]
    results = []
    for body in bodies:
        upload = begin(s3, fresh)
        results.append(complete(s3, fresh, upload, send(s3, fresh, upload, [body[:PART], body[PART:]])))
    assert len({result["VersionId"] for result in results}) == 2
    for body, result in zip(bodies, results):
        words = {"Bucket": fresh, "Key": "k", "VersionId": result["VersionId"]}
        assert s3.get_object(**words)["Body"].read() == body
        assert s3.get_object(**words, PartNumber=2)["Body"].read() == body[PART:]
        s3.delete_object(**words)
    assert refusal(lambda: s3.head_object(Bucket=fresh, Key="k"))[0] == 404


# Checksums.


def test_a_composite_checksum(world, fresh, payload):
    s3 = world.boto3()
    parts = [payload(PART), payload(100)]
    upload = begin(s3, fresh, ChecksumAlgorithm="SHA256")
    done = send(s3, fresh, upload, parts, ChecksumAlgorithm="SHA256")
    result = complete(s3, fresh, upload, done)
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    wanted = base64.b64encode(digest).decode() + "-2"
    assert (result["ChecksumSHA256"], result["ChecksumType"]) == (wanted, "COMPOSITE")
    head = s3.head_object(Bucket=fresh, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (wanted, "COMPOSITE")
    for number, part in enumerate(parts, 1):
        words = dict(Bucket=fresh, Key="k", PartNumber=number, ChecksumMode="ENABLED")
        value = base64.b64encode(hashlib.sha256(part).digest()).decode()
        assert (s3.head_object(**words)["ChecksumSHA256"], s3.get_object(**words)["ChecksumSHA256"]) == (value, value)
        assert s3.get_object(**words)["Body"].read() == part, "botocore compares it"
    assert s3.list_objects_v2(Bucket=fresh)["Contents"][0]["ChecksumType"] == "COMPOSITE"
    assert s3.list_object_versions(Bucket=fresh)["Versions"][0]["ChecksumType"] == "COMPOSITE"


def test_an_upload_without_an_algorithm_gets_a_crc64nvme_of_the_whole(world, fresh, payload):
    s3 = world.boto3(request_checksum_calculation="when_required")
    parts = [payload(PART), payload(PART), payload(77)]
    value = checksum("crc64nvme", b"".join(parts))
    upload = begin(s3, fresh)
    done = send(s3, fresh, upload, parts)
    assert [each["ChecksumCRC64NVME"] for each in done] == [checksum("crc64nvme", part) for part in parts]
    plain = [{name: each[name] for name in ("PartNumber", "ETag")} for each in done]
    result = complete(s3, fresh, upload, plain)
    assert (result["ChecksumCRC64NVME"], result["ChecksumType"]) == (value, "FULL_OBJECT")
    head = s3.head_object(Bucket=fresh, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (value, "FULL_OBJECT")
    # A client that can compute it compares; one that cannot goes on without.
    assert s3.get_object(Bucket=fresh, Key="k", ChecksumMode="ENABLED")["Body"].read() == b"".join(parts)
    other = begin(s3, fresh, "copied")
    part = s3.upload_part_copy(
        Bucket=fresh, Key="copied", UploadId=other, PartNumber=1, CopySource=f"{fresh}/k", CopySourceRange="bytes=5-99"
    )["CopyPartResult"]
    assert part["ChecksumCRC64NVME"] == checksum("crc64nvme", parts[0][5:100])
    s3.abort_multipart_upload(Bucket=fresh, Key="copied", UploadId=other)
    s3.upload_fileobj(io.BytesIO(parts[0] + parts[1]), fresh, "managed")
    head = s3.head_object(Bucket=fresh, Key="managed", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == checksum("crc64nvme", parts[0] + parts[1])
    sink = io.BytesIO()
    world.boto3().download_fileobj(fresh, "managed", sink)
    assert sink.getvalue() == parts[0] + parts[1]


@pytest.mark.parametrize("names", [["CRC32", "CRC32", "CRC32"], ["CRC32", "SHA256", None], [None, "CRC64NVME", "SHA1"]])
def test_parts_with_any_checksums_make_an_object_with_a_crc64nvme(world, fresh, payload, names):
    s3 = world.boto3(request_checksum_calculation="when_required")
    parts = [payload(PART), payload(PART), payload(77)]
    upload = begin(s3, fresh)
    done = []
    for number, (part, name) in enumerate(zip(parts, names), 1):
        options = {f"Checksum{name}": checksum(name.lower(), part)} if name else {}
        answer = s3.upload_part(Bucket=fresh, Key="k", UploadId=upload, PartNumber=number, Body=part, **options)
        field = f"Checksum{name or 'CRC64NVME'}"
        assert answer[field] == checksum((name or "crc64nvme").lower(), part)
        done.append({"PartNumber": number, "ETag": answer["ETag"], field: answer[field]})
    s3.put_object(Bucket=fresh, Key="source", Body=parts[0][:1000], ChecksumAlgorithm="SHA256")
    copied = s3.upload_part_copy(
        Bucket=fresh, Key="k", UploadId=upload, PartNumber=9, CopySource=f"{fresh}/source", CopySourceRange="bytes=10-99"
    )["CopyPartResult"]
    assert copied["ChecksumCRC64NVME"] == checksum("crc64nvme", parts[0][10:100])
    # The third part is no last one any more.
    refused = [*done, {"PartNumber": 9, "ETag": copied["ETag"]}]
    assert refusal(lambda: complete(s3, fresh, upload, refused)) == (400, "EntityTooSmall")
    done[2] = {"PartNumber": 9, "ETag": copied["ETag"]}
    whole = parts[0] + parts[1] + parts[0][10:100]
    result = complete(s3, fresh, upload, done)
    value = checksum("crc64nvme", whole)
    assert (result["ChecksumCRC64NVME"], result["ChecksumType"]) == (value, "FULL_OBJECT")
    got = s3.get_object(Bucket=fresh, Key="k", ChecksumMode="ENABLED")
    assert (got["ChecksumCRC64NVME"], got["ChecksumType"]) == (value, "FULL_OBJECT")
    assert got["Body"].read() == whole
    attributes = s3.get_object_attributes(Bucket=fresh, Key="k", ObjectAttributes=["Checksum", "ObjectParts"])
    assert attributes["Checksum"] == {"ChecksumCRC64NVME": value, "ChecksumType": "FULL_OBJECT"}
    assert attributes["ObjectParts"] == {"TotalPartsCount": 3}, "each part is told of for a composite checksum only"
    (entry,) = [each for each in s3.list_objects_v2(Bucket=fresh)["Contents"] if each["Key"] == "k"]
    assert (entry["ChecksumAlgorithm"], entry["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")
    copy = s3.copy_object(Bucket=fresh, Key="copy", CopySource=f"{fresh}/k")["CopyObjectResult"]
    assert (copy["ChecksumCRC64NVME"], copy["ChecksumType"]) == (value, "FULL_OBJECT")


def test_a_full_object_checksum(world, fresh, payload):
    s3 = world.boto3()
    parts = [payload(PART), payload(PART), payload(77)]
    upload = begin(s3, fresh, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    done = send(s3, fresh, upload, parts, ChecksumAlgorithm="CRC32")
    value = base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()
    wrong = base64.b64encode(b"\0\0\0\0").decode()
    assert refusal(lambda: complete(s3, fresh, upload, done, ChecksumCRC32=wrong, ChecksumType="FULL_OBJECT")) == (
        400,
        "BadDigest",
    )
    result = complete(s3, fresh, upload, done, ChecksumCRC32=value, ChecksumType="FULL_OBJECT")
    assert (result["ChecksumCRC32"], result["ChecksumType"]) == (value, "FULL_OBJECT")
    head = s3.head_object(Bucket=fresh, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumCRC32"], head["ChecksumType"]) == (value, "FULL_OBJECT")


@pytest.mark.parametrize(
    "options, code",
    [
        ({"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}, "InvalidRequest"),
        ({"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"}, "InvalidRequest"),
        ({"StorageClass": "NO_SUCH_CLASS"}, "InvalidStorageClass"),
        ({"ServerSideEncryption": "AES256"}, "NotImplemented"),
    ],
)
def test_a_creation_that_cannot_be_kept_is_refused(s3, bucket, gateway, options, code):
    before = upload_rows(gateway)
    assert refusal(lambda: begin(s3, bucket, **options))[1] == code
    assert upload_rows(gateway) == before


def test_wrong_checksums_and_digests_of_a_part_are_refused(s3, bucket, raw):
    upload = begin(s3, bucket, ChecksumAlgorithm="CRC32")
    target = f"/{bucket}/k?partNumber=1&uploadId={upload}"
    for header, code in (
        (("x-amz-checksum-crc32", "AAAAAA=="), "BadDigest"),
        (("content-md5", base64.b64encode(bytes(16)).decode()), "BadDigest"),
        (("x-amz-checksum-sha1", base64.b64encode(hashlib.sha1(b"x").digest()).decode()), "InvalidRequest"),
    ):
        assert raw.request("PUT", target, b"x", headers=[header]).code == code, header
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload).get("Parts", []) == []


def test_checksums_of_the_object_that_are_wrong_or_none(s3, bucket, payload):
    part = payload(100)
    upload = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    done = send(s3, bucket, upload, [part], ChecksumAlgorithm="SHA256")
    value = base64.b64encode(hashlib.sha256(hashlib.sha256(part).digest()).digest()).decode()
    other = base64.b64encode(hashlib.sha256(part).digest()).decode()
    malformed = [(claim, "InvalidRequest") for claim in ("bad", value[:-4], f"{value}-", f"{value}-one")]
    for claim, code in (*malformed, (f"{value}-2", "BadDigest"), (f"{other}-1", "BadDigest")):
        assert refusal(lambda: complete(s3, bucket, upload, done, ChecksumSHA256=claim)) == (400, code), claim
    assert complete(s3, bucket, upload, done, ChecksumSHA256=f"{value}-1")["ChecksumSHA256"] == f"{value}-1"


# Refusals.


def test_every_refusal_of_a_completion(s3, bucket, gateway, payload):
    upload = begin(s3, bucket)
    small, large, last = send(s3, bucket, upload, [payload(PART - 1), payload(PART), b"end"])
    none = {"PartNumber": 9, "ETag": '"0123456789abcdef0123456789abcdef"'}
    for parts, code in (
        ([last, large], "InvalidPartOrder"),
        ([large, large], "InvalidPartOrder"),
        ([large, none], "InvalidPart"),
        ([large | {"ETag": small["ETag"]}, last], "InvalidPart"),
        ([large | {"ETag": "nonsense"}, last], "InvalidPart"),
        ([small, large], "EntityTooSmall"),
    ):
        assert refusal(lambda: complete(s3, bucket, upload, parts)) == (400, code), parts
    assert refusal(lambda: complete(s3, bucket, upload, [large, last], MpuObjectSize=5)) == (400, "InvalidRequest")
    assert refusal(lambda: complete(s3, bucket, "nonsense", [large])) == (404, "NoSuchUpload")
    assert refusal(lambda: complete(s3, bucket, upload, [large], key="other")) == (404, "NoSuchUpload")
    assert refusal(lambda: s3.head_object(Bucket=bucket, Key="k"))[0] == 404
    result = complete(s3, bucket, upload, [large, last], MpuObjectSize=PART + 3)
    assert result["ETag"].endswith('-2"')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CompleteMultipartUpload/>",
        b"<Other><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></Other>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><CompleteMultipartUpload>&b;</CompleteMultipartUpload>',
        b"<CompleteMultipartUpload>" + b"<a>" * 100 + b"</a>" * 100 + b"</CompleteMultipartUpload>",
    ],
)
def test_a_malformed_completion(s3, raw, bucket, body):
    upload = begin(s3, bucket)
    send(s3, bucket, upload, [b"x"])
    answer = raw.request("POST", f"/{bucket}/k?uploadId={upload}", body)
    assert (answer.status, answer.code) == (400, "MalformedXML"), answer.body
    assert len(s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]) == 1, "the upload goes on"


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", ""])
def test_a_part_number_out_of_range(s3, raw, bucket, number):
    upload = begin(s3, bucket)
    answer = raw.request("PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", b"x")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_an_upload_belongs_to_its_tenant_bucket_and_key(gateway, s3, bucket):
    upload = begin(s3, bucket)
    other = gateway.new_bucket("alice")
    bobs = gateway.new_bucket("bob")
    for client, where, key in (
        (s3, bucket, "other"),
        (s3, other, "k"),
        (gateway.boto3("bob"), bobs, "k"),
    ):
        words = {"Bucket": where, "Key": key, "UploadId": upload}
        assert refusal(lambda: client.upload_part(**words, PartNumber=1, Body=b"x")) == (404, "NoSuchUpload")
        assert refusal(lambda: client.list_parts(**words)) == (404, "NoSuchUpload")
        assert refusal(lambda: client.abort_multipart_upload(**words)) == (404, "NoSuchUpload")
    assert refusal(lambda: gateway.boto3("bob").list_parts(Bucket=bucket, Key="k", UploadId=upload)) == (
        404,
        "NoSuchBucket",
    )


def test_conditions_are_decided_at_the_completion(world, fresh):
    s3 = world.boto3()
    upload = begin(s3, fresh)
    done = send(s3, fresh, upload, [b"second"])
    current = s3.put_object(Bucket=fresh, Key="k", Body=b"first")["ETag"]
    assert refusal(lambda: complete(s3, fresh, upload, done, IfNoneMatch="*")) == (412, "PreconditionFailed")
    assert refusal(lambda: complete(s3, fresh, upload, done, IfMatch='"x"')) == (412, "PreconditionFailed")
    assert s3.get_object(Bucket=fresh, Key="k")["Body"].read() == b"first"
    complete(s3, fresh, upload, done, IfMatch=current)
    assert s3.get_object(Bucket=fresh, Key="k")["Body"].read() == b"second"


def test_of_many_conditional_completions_one_wins(gateway, s3, bucket):
    uploads = []
    for number in range(8):
        upload = begin(s3, bucket)
        uploads.append((upload, send(s3, bucket, upload, [b"%d" % number])))
    results = []

    def run(upload, done):
        try:
            results.append(complete(gateway.boto3("alice"), bucket, upload, done, IfNoneMatch="*")["ETag"])
        except ClientError as error:
            results.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=run, args=each) for each in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [each for each in results if each.startswith('"')]
    assert len(winners) == 1 and set(results) - set(winners) == {"PreconditionFailed"}, results
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == winners[0]


def test_the_same_completion_again_answers_the_same(world, fresh):
    s3 = world.boto3()
    upload = begin(s3, fresh)
    done = send(s3, fresh, upload, [b"body"])
    first = complete(s3, fresh, upload, done)
    assert complete(s3, fresh, upload, done)["ETag"] == first["ETag"]
    assert refusal(lambda: complete(s3, fresh, upload, [done[0] | {"ETag": '"x"'}])) == (404, "NoSuchUpload")
    s3.put_object(Bucket=fresh, Key="k", Body=b"newer")
    assert refusal(lambda: complete(s3, fresh, upload, done)) == (404, "NoSuchUpload")
    assert s3.get_object(Bucket=fresh, Key="k")["Body"].read() == b"newer"


# Listing.


def test_listing_parts_in_pages(s3, bucket):
    upload = begin(s3, bucket, StorageClass="STANDARD_IA")
    send(s3, bucket, upload, [b"%d" % number for number in range(5)], numbers=[2, 3, 5, 7, 11])
    page = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload, MaxParts=2)
    assert [part["PartNumber"] for part in page["Parts"]] == [2, 3] and page["IsTruncated"]
    assert page["NextPartNumberMarker"] == 3 and page["StorageClass"] == "STANDARD_IA"
    assert page["Parts"][0]["Size"] == 1 and page["Parts"][0]["ETag"] == f'"{hashlib.md5(b"0").hexdigest()}"'
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="k", UploadId=upload, PaginationConfig={"PageSize": 2}
    )
    assert [part["PartNumber"] for page in pages for part in page["Parts"]] == [2, 3, 5, 7, 11]
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)


def test_listing_uploads_in_pages_with_prefix_delimiter_and_encoding(s3, bucket):
    keys = ["a", "b/1", "b/1", "b/2", "c/ü +&.txt"]
    uploads = [(key, begin(s3, bucket, key)) for key in keys]
    everything = s3.list_multipart_uploads(Bucket=bucket)
    assert [(each["Key"], each["UploadId"]) for each in everything["Uploads"]] == uploads, "by key, then by age"
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [each["UploadId"] for page in pages for each in page["Uploads"]] == [upload for _, upload in uploads]
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [each["Key"] for each in rolled["Uploads"]] == ["a"]
    assert [each["Prefix"] for each in rolled["CommonPrefixes"]] == ["b/", "c/"]
    below = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/", MaxUploads=2)
    assert [each["Key"] for each in below["Uploads"]] == ["b/1", "b/1"] and below["IsTruncated"]
    rest = s3.list_multipart_uploads(
        Bucket=bucket, Prefix="b/", KeyMarker=below["NextKeyMarker"], UploadIdMarker=below["NextUploadIdMarker"]
    )
    assert [each["Key"] for each in rest["Uploads"]] == ["b/2"] and not rest["IsTruncated"]
    for key, upload in uploads:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


# Clients.


@pytest.mark.timeout(300)
def test_boto3_transfer_manager_sends_100_mb(world, fresh, payload):
    s3 = world.boto3()
    body = payload(100_000_000)
    s3.upload_fileobj(io.BytesIO(body), fresh, "large", Config=TransferConfig(multipart_chunksize=8 * MIB))
    assert s3.head_object(Bucket=fresh, Key="large")["ETag"] == etag_of(
        [body[start : start + 8 * MIB] for start in range(0, len(body), 8 * MIB)]
    )
    sink = io.BytesIO()
    s3.download_fileobj(fresh, "large", sink)
    assert hashlib.sha256(sink.getvalue()).digest() == hashlib.sha256(body).digest()


@pytest.mark.timeout(180)
def test_aws_cli_rclone_and_s5cmd_send_and_fetch_a_large_file(world, fresh, payload, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(payload(20_000_000))
    wanted = hashlib.sha256(source.read_bytes()).hexdigest()
    aws(world, "s3", "cp", source, f"s3://{fresh}/aws")
    rclone(world, "copyto", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", source, f"gw:{fresh}/rclone")
    s5cmd(world, "cp", "--part-size", "5", source, f"s3://{fresh}/s5cmd")
    heads = json.loads(aws(world, "s3api", "list-objects-v2", "--bucket", fresh))["Contents"]
    assert {each["Key"]: each["ETag"].rpartition("-")[2].strip('"') for each in heads} == {
        "aws": "3",
        "rclone": "4",
        "s5cmd": "4",
    }
    aws(world, "s3", "cp", f"s3://{fresh}/rclone", tmp_path / "one")
    rclone(world, "copyto", f"gw:{fresh}/s5cmd", tmp_path / "two")
    s5cmd(world, "cp", f"s3://{fresh}/aws", tmp_path / "three")
    for name in ("one", "two", "three"):
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == wanted, name
