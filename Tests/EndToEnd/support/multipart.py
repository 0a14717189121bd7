"""Multipart uploads step by step, and what S3 says of them."""

import hashlib

import pytest
from botocore.exceptions import ClientError

MIB = 1 << 20
PART = 5 * MIB


def etag_of(parts):
    return f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


def begin(s3, bucket, key="k", **options):
    return s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]


def send(s3, bucket, upload, parts, key="k", numbers=None, **options):
    """Uploads `parts` as numbers 1, 2, ...; returns what the completion names."""
    done = []
    for number, part in zip(numbers or range(1, len(parts) + 1), parts):
        answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part, **options)
        checksums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
        done.append({"PartNumber": number, "ETag": answer["ETag"]} | checksums)
    return done


def complete(s3, bucket, upload, done, key="k", **options):
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}, **options
    )


def refusal(call):
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def upload_rows(stack):
    return sum(
        stack.query(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("uploads", "upload_parts", "upload_places")
    )
