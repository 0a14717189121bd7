"""UploadPartCopy: parts out of objects that are there, whole or in ranges, from any bucket and backend."""

import hashlib

import boto3.s3.transfer
import pytest

from support.multipart import MIB, PART, begin, complete, etag_of, refusal, send


@pytest.fixture
def fresh(world):
    return world.new_bucket()


def copy(s3, bucket, upload, number, source, byte_range=None, **options):
    options |= {"CopySourceRange": byte_range} if byte_range else {}
    answer = s3.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, CopySource=source, **options
    )
    return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}


def test_parts_are_copied_whole_and_in_ranges_between_buckets(world, fresh, payload):
    s3 = world.boto3()
    other = world.new_bucket()
    body = payload(PART + 1000)
    s3.put_object(Bucket=other, Key="source +ü", Body=body)
    source = {"Bucket": other, "Key": "source +ü"}
    upload = begin(s3, fresh)
    parts = [body, body[:PART], b"sent", body[-1:]]
    done = [
        copy(s3, fresh, upload, 1, source),
        copy(s3, fresh, upload, 2, source, f"bytes=0-{PART - 1}"),
        copy(s3, fresh, upload, 4, source, f"bytes={len(body) - 1}-{len(body) - 1}"),
    ]
    done.insert(2, send(s3, fresh, upload, [payload(PART)], numbers=[3])[0])
    parts[2] = None
    assert [each["ETag"] for each in done[:2]] == [f'"{hashlib.md5(part).hexdigest()}"' for part in parts[:2]]
    complete(s3, fresh, upload, done)
    got = s3.get_object(Bucket=fresh, Key="k")["Body"].read()
    assert got[: 2 * PART + 1000] == body + body[:PART] and got[-1:] == body[-1:]
    assert len(got) == 3 * PART + 1001


def test_the_copy_of_a_part_has_the_uploads_checksum(s3, bucket, payload):
    body = payload(PART)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    upload = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    answer = s3.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"}
    )["CopyPartResult"]
    part = {"PartNumber": 1, "ETag": answer["ETag"], "ChecksumSHA256": answer["ChecksumSHA256"]}
    assert complete(s3, bucket, upload, [part])["ChecksumSHA256"].endswith("-1")


def test_every_refusal_of_a_copied_part(gateway, s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    source = {"Bucket": bucket, "Key": "source"}
    upload = begin(s3, bucket)
    for words, wanted in (
        (("bytes=0-10",), (400, "InvalidArgument")),
        (("bytes=5-4",), (400, "InvalidArgument")),
        (("bytes=5-",), (400, "InvalidArgument")),
        (("0-5",), (400, "InvalidArgument")),
    ):
        assert refusal(lambda: copy(s3, bucket, upload, 1, source, *words)) == wanted, words
    for options in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": "*"}):
        assert refusal(lambda: copy(s3, bucket, upload, 1, source, **options)) == (412, "PreconditionFailed")
    assert refusal(lambda: copy(s3, bucket, upload, 1, source | {"Key": "none"})) == (404, "NoSuchKey")
    assert refusal(lambda: copy(s3, bucket, upload, 1, source | {"Bucket": "no-such-bucket"})) == (404, "NoSuchBucket")
    bobs = gateway.new_bucket("bob")
    gateway.boto3("bob").put_object(Bucket=bobs, Key="source", Body=b"secret")
    assert refusal(lambda: copy(s3, bucket, upload, 1, {"Bucket": bobs, "Key": "source"})) == (404, "NoSuchBucket")
    assert refusal(lambda: copy(s3, bucket, "nonsense", 1, source)) == (404, "NoSuchUpload")
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


@pytest.mark.timeout(180)
def test_boto3_copies_a_large_object_in_parts(world, fresh, payload):
    s3 = world.boto3()
    body = payload(20 * MIB)
    s3.put_object(Bucket=fresh, Key="source", Body=body)
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)
    s3.copy({"Bucket": fresh, "Key": "source"}, fresh, "copy", Config=config)
    got = s3.get_object(Bucket=fresh, Key="copy")
    assert got["ETag"] == etag_of([body[: 8 * MIB], body[8 * MIB : 16 * MIB], body[16 * MIB :]])
    assert got["Body"].read() == body
