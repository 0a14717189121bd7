"""GetObjectAttributes."""

import hashlib

import pytest
from botocore.exceptions import ClientError

from support.checksums import checksum

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
MEBIBYTE = 1 << 20


def test_an_object_written_in_one_piece(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256", StorageClass="STANDARD_IA")
    answer = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL)
    assert answer["ETag"] == hashlib.md5(b"hello").hexdigest()
    assert answer["Checksum"] == {"ChecksumSHA256": checksum("sha256", b"hello"), "ChecksumType": "FULL_OBJECT"}
    assert (answer["StorageClass"], answer["ObjectSize"]) == ("STANDARD_IA", 5)
    assert "ObjectParts" not in answer
    assert answer["LastModified"] == s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert "VersionId" not in answer


@pytest.mark.parametrize("attribute", ALL)
def test_only_what_was_asked_for(raw, bucket, attribute):
    raw.request("PUT", f"/{bucket}/k", b"hello", headers=[("x-amz-checksum-crc32", checksum("crc32", b"hello"))])
    answer = raw.request("GET", f"/{bucket}/k?attributes", headers=[("x-amz-object-attributes", attribute)])
    assert answer.status == 200
    assert [child.tag for child in answer.xml] == ([attribute] if attribute != "ObjectParts" else [])


def test_an_object_of_parts(s3, bucket, payload):
    bodies = [payload(5 * MEBIBYTE), payload(5 * MEBIBYTE), payload(1000)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(
            Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    answer = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL)
    assert answer["Checksum"]["ChecksumType"] == "COMPOSITE"
    assert answer["ObjectSize"] == sum(map(len, bodies))
    found = answer["ObjectParts"]
    assert found["TotalPartsCount"] == 3 and found["IsTruncated"] is False
    assert [(part["PartNumber"], part["Size"], part["ChecksumSHA256"]) for part in found["Parts"]] == [
        (number, len(body), checksum("sha256", body)) for number, body in enumerate(bodies, 1)
    ]
    page = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=1
    )["ObjectParts"]
    assert page["IsTruncated"] is True and page["NextPartNumberMarker"] == 2
    assert [part["PartNumber"] for part in page["Parts"]] == [2]
    none = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=0)["ObjectParts"]
    assert none["IsTruncated"] is False and "Parts" not in none, "a truncated page without a part has no next one"


def test_versions_and_markers(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"22")
    answer = s3.get_object_attributes(Bucket=bucket, Key="k", VersionId=first, ObjectAttributes=["ObjectSize"])
    assert (answer["VersionId"], answer["ObjectSize"]) == (first, 1)
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for version, name in (({}, "NoSuchKey"), ({"VersionId": marker}, "MethodNotAllowed")):
        with pytest.raises(ClientError) as error:
            s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag"], **version)
        assert error.value.response["Error"]["Code"] == name


@pytest.mark.parametrize(
    "name, value, status",
    [
        ("If-Match", '"other"', 412),
        ("If-None-Match", "*", 304),
        ("If-Unmodified-Since", "Mon, 23 Nov 2020 02:50:09 GMT", 412),
        ("If-Modified-Since", "Mon, 23 Nov 2020 02:50:09 GMT", 200),
        ("If-None-Match", '"other"', 200),
    ],
)
def test_conditions_hold_as_for_a_read(raw, bucket, name, value, status):
    raw.request("PUT", f"/{bucket}/k", b"x")
    headers = [("x-amz-object-attributes", "ETag"), (name, value)]
    assert raw.request("GET", f"/{bucket}/k?attributes", headers=headers).status == status


@pytest.mark.parametrize(
    "headers, name",
    [
        ([], "InvalidRequest"),
        ([("x-amz-object-attributes", "")], "InvalidRequest"),
        ([("x-amz-object-attributes", "ETag,Owner")], "InvalidArgument"),
        ([("x-amz-object-attributes", "ObjectParts"), ("x-amz-max-parts", "x")], "InvalidArgument"),
    ],
)
def test_a_request_that_is_refused(raw, bucket, headers, name):
    raw.request("PUT", f"/{bucket}/k", b"x")
    answer = raw.request("GET", f"/{bucket}/k?attributes", headers=headers)
    assert (answer.status, answer.code) == (400, name)
