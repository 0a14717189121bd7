"""CopyObject: directives, conditions, names, refusals, and the way the bytes take."""

import hashlib
import sqlite3

import pytest
from botocore.exceptions import ClientError

from support.checksums import ALGORITHMS, checksum
from support.clients import aws
from support.processes import wait_until

MEBIBYTE = 1 << 20


def code(error):
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def client(world):
    return world.boto3("alice")


@pytest.fixture
def source(world):
    return world.new_bucket("alice")


@pytest.fixture
def target(world):
    return world.new_bucket("alice")


@pytest.mark.parametrize("size", [0, 1, 4096, 9 * MEBIBYTE])
def test_a_copy_has_the_bytes_the_etag_and_the_metadata(client, source, target, payload, size):
    body = payload(size)
    put = client.put_object(
        Bucket=source,
        Key="dir/a",
        Body=body,
        ContentType="text/x",
        CacheControl="no-store",
        Metadata={"one": "1"},
        StorageClass="STANDARD_IA",
    )
    answer = client.copy_object(Bucket=target, Key="b", CopySource={"Bucket": source, "Key": "dir/a"})
    result = answer["CopyObjectResult"]
    assert result["ETag"] == put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert result["ChecksumCRC32"] == put["ChecksumCRC32"] and result["ChecksumType"] == "FULL_OBJECT"
    copy = client.get_object(Bucket=target, Key="b")
    assert copy["Body"].read() == body
    assert (copy["ContentType"], copy["CacheControl"], copy["Metadata"]) == ("text/x", "no-store", {"one": "1"})
    assert "StorageClass" not in copy, "the class is not copied, as on AWS"
    assert copy["LastModified"] == result["LastModified"]
    client.delete_object(Bucket=source, Key="dir/a")
    assert client.get_object(Bucket=target, Key="b")["Body"].read() == body


def test_a_copy_of_an_object_without_a_checksum_gets_a_crc64nvme(stacks, payload):
    stack = stacks.files()
    stack.start()
    bucket, body = stack.new_bucket("alice"), payload(70_000)
    s3 = stack.boto3("alice")
    s3.put_object(Bucket=bucket, Key="old", Body=body)
    with sqlite3.connect(stack.database_path, timeout=10) as connection:
        connection.execute("UPDATE versions SET checksum = NULL, checksum_algorithm = NULL")
        connection.execute("UPDATE objects SET checksum_type = NULL, checksum_algorithm = NULL")
    connection.close()
    old = s3.get_object(Bucket=bucket, Key="old", ChecksumMode="ENABLED")
    assert old["Body"].read() == body and not [name for name in old if name.startswith("Checksum")]
    result = s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/old")["CopyObjectResult"]
    value = checksum("crc64nvme", body)
    assert (result["ChecksumCRC64NVME"], result["ChecksumType"]) == (value, "FULL_OBJECT")
    new = s3.head_object(Bucket=bucket, Key="new", ChecksumMode="ENABLED")
    assert (new["ChecksumCRC64NVME"], new["ETag"]) == (value, old["ETag"])


def test_a_copy_does_not_share_bytes_with_its_source(client, source, world):
    client.put_object(Bucket=source, Key="a", Body=b"first")
    client.copy_object(Bucket=source, Key="b", CopySource=f"{source}/a")
    client.put_object(Bucket=source, Key="a", Body=b"second")
    client.delete_object(Bucket=source, Key="a")
    world.worker_once()
    assert client.get_object(Bucket=source, Key="b")["Body"].read() == b"first"


def test_metadata_is_replaced_as_a_whole(client, source):
    client.put_object(Bucket=source, Key="a", Body=b"x", ContentType="text/x", Metadata={"one": "1"})
    client.copy_object(
        Bucket=source, Key="b", CopySource=f"{source}/a", MetadataDirective="REPLACE", Metadata={"two": "2"}
    )
    copy = client.head_object(Bucket=source, Key="b")
    assert (copy["Metadata"], copy["ContentType"]) == ({"two": "2"}, "binary/octet-stream")


def test_metadata_that_is_not_to_be_replaced_is_ignored(client, source):
    client.put_object(Bucket=source, Key="a", Body=b"x", Metadata={"one": "1"})
    client.copy_object(Bucket=source, Key="b", CopySource=f"{source}/a", Metadata={"two": "2"})
    assert client.head_object(Bucket=source, Key="b")["Metadata"] == {"one": "1"}


def test_a_copy_onto_itself_has_to_change_something(client, source):
    client.put_object(Bucket=source, Key="a", Body=b"x", Metadata={"one": "1"})
    with pytest.raises(ClientError) as error:
        client.copy_object(Bucket=source, Key="a", CopySource=f"{source}/a")
    assert code(error) == ("InvalidRequest", 400)
    assert "copy an object to itself without changing" in error.value.response["Error"]["Message"]
    client.copy_object(
        Bucket=source, Key="a", CopySource=f"{source}/a", MetadataDirective="REPLACE", Metadata={"two": "2"}
    )
    changed = client.get_object(Bucket=source, Key="a")
    assert (changed["Body"].read(), changed["Metadata"]) == (b"x", {"two": "2"})
    client.copy_object(Bucket=source, Key="a", CopySource=f"{source}/a", StorageClass="STANDARD_IA")
    assert client.head_object(Bucket=source, Key="a")["StorageClass"] == "STANDARD_IA"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_checksum_is_computed_of_the_content(world, client, source, algorithm):
    client.put_object(Bucket=source, Key="a", Body=b"some bytes", ChecksumAlgorithm="SHA1")
    raw = world.raw("alice")
    answer = raw.request(
        "PUT",
        f"/{source}/b",
        headers=[("x-amz-copy-source", f"{source}/a"), ("x-amz-checksum-algorithm", algorithm.upper())],
    )
    assert answer.xml.findtext(f"Checksum{algorithm.upper()}") == checksum(algorithm, b"some bytes")
    head = raw.request("HEAD", f"/{source}/b", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert head.header(f"x-amz-checksum-{algorithm}") == checksum(algorithm, b"some bytes")


AWKWARD = ["a b", "a+b", "a%2Bb", "ä/ö~", "a?b=c&d", "//x//", "./../y", "日本/🦊", "q?versionId=z", "x" * 1024]


@pytest.mark.parametrize("key", AWKWARD)
def test_keys_of_every_kind(client, source, key):
    client.put_object(Bucket=source, Key=key, Body=key.encode())
    client.copy_object(Bucket=source, Key="copy", CopySource={"Bucket": source, "Key": key})
    assert client.get_object(Bucket=source, Key="copy")["Body"].read() == key.encode()


def test_the_leading_slash_is_optional_and_a_plus_is_a_blank(raw, bucket):
    raw.request("PUT", f"/{bucket}/a%20b", b"blank")
    for name in (f"/{bucket}/a+b", f"{bucket}/a%20b", f"%2F{bucket}%2Fa%20b"):
        answer = raw.request("PUT", f"/{bucket}/copy", headers=[("x-amz-copy-source", name)])
        assert answer.status == 200, answer.body
        assert raw.request("GET", f"/{bucket}/copy").body == b"blank"


OLD, NEW = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2037 07:28:00 GMT"


@pytest.mark.parametrize(
    "status, conditions",
    [
        (200, {"if-match": "ETAG"}),
        (412, {"if-match": '"no"'}),
        (200, {"if-none-match": '"no"'}),
        (412, {"if-none-match": "ETAG"}),
        (200, {"if-unmodified-since": NEW}),
        (412, {"if-unmodified-since": OLD}),
        (200, {"if-modified-since": OLD}),
        (412, {"if-modified-since": "LAST"}),
        (200, {"if-match": "ETAG", "if-unmodified-since": OLD}),
        (412, {"if-none-match": "ETAG", "if-modified-since": OLD}),
        (412, {"if-match": '"no"', "if-unmodified-since": NEW}),
    ],
)
def test_conditions_on_the_source(raw, gateway, bucket, status, conditions):
    raw.request("PUT", f"/{bucket}/a", b"x")
    head = raw.request("HEAD", f"/{bucket}/a")
    words = {"ETAG": head.header("ETag"), "LAST": head.header("Last-Modified")}
    before = gateway.stored()
    answer = raw.request(
        "PUT",
        f"/{bucket}/b",
        headers=[
            ("x-amz-copy-source", f"/{bucket}/a"),
            *((f"x-amz-copy-source-{name}", words.get(value, value)) for name, value in conditions.items()),
        ],
    )
    assert answer.status == status, answer.body
    if status == 412:
        assert answer.code == "PreconditionFailed"
        assert gateway.stored() == before


def test_conditions_on_the_target(client, source):
    client.put_object(Bucket=source, Key="a", Body=b"x")
    etag = client.copy_object(Bucket=source, Key="b", CopySource=f"{source}/a", IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        client.copy_object(Bucket=source, Key="b", CopySource=f"{source}/a", IfNoneMatch="*")
    assert code(error) == ("PreconditionFailed", 412)
    client.put_object(Bucket=source, Key="c", Body=b"y")
    client.copy_object(
        Bucket=source, Key="b", CopySource=f"{source}/c", IfMatch=etag["CopyObjectResult"]["ETag"]
    )
    with pytest.raises(ClientError) as error:
        client.copy_object(
            Bucket=source, Key="b", CopySource=f"{source}/a", IfMatch=etag["CopyObjectResult"]["ETag"]
        )
    assert code(error) == ("PreconditionFailed", 412)
    assert client.get_object(Bucket=source, Key="b")["Body"].read() == b"y"


@pytest.mark.parametrize(
    "header, status, name",
    [
        ("no-slash", 400, "InvalidArgument"),
        ("/BUCKET/", 400, "InvalidArgument"),
        ("/BUCKET/%zz", 400, "InvalidArgument"),
        ("/BUCKET/missing", 404, "NoSuchKey"),
        ("/BUCKET/a?versionId=x", 400, "InvalidArgument"),
        ("/no-such-bucket-here/a", 404, "NoSuchBucket"),
        ("/Bad_Bucket/a", 400, "InvalidBucketName"),
    ],
)
def test_a_source_that_is_none(raw, gateway, bucket, header, status, name):
    raw.request("PUT", f"/{bucket}/a", b"x")
    before = gateway.stored()
    answer = raw.request(
        "PUT", f"/{bucket}/b", headers=[("x-amz-copy-source", header.replace("BUCKET", bucket))]
    )
    assert (answer.status, answer.code) == (status, name)
    assert gateway.stored() == before
    assert raw.request("HEAD", f"/{bucket}/b").status == 404


@pytest.mark.parametrize(
    "header, value, name",
    [
        ("x-amz-metadata-directive", "BOTH", "InvalidArgument"),
        ("x-amz-checksum-algorithm", "MD4", "InvalidRequest"),
        ("x-amz-storage-class", "GLACIER", "InvalidStorageClass"),
        ("x-amz-server-side-encryption", "AES256", "NotImplemented"),
        ("if-none-match", '"etag"', "NotImplemented"),
    ],
)
def test_a_wish_that_cannot_be_met(raw, gateway, bucket, header, value, name):
    raw.request("PUT", f"/{bucket}/a", b"x")
    before = gateway.stored()
    answer = raw.request(
        "PUT", f"/{bucket}/b", headers=[("x-amz-copy-source", f"/{bucket}/a"), (header, value)]
    )
    assert answer.code == name
    assert gateway.stored() == before


def test_another_tenants_object_is_no_source(gateway, bucket):
    gateway.raw("alice").request("PUT", f"/{bucket}/a", b"secret")
    mine = gateway.new_bucket("bob")
    answer = gateway.raw("bob").request("PUT", f"/{mine}/b", headers=[("x-amz-copy-source", f"/{bucket}/a")])
    assert answer.status == 404 and answer.code == "NoSuchBucket"
    assert gateway.raw("bob").request("HEAD", f"/{mine}/b").status == 404


def test_the_targets_policy_decides_before_a_byte_moves(stacks):
    stack = stacks.files().start()
    client = stack.boto3("alice")
    client.create_bucket(Bucket="from-fi", CreateBucketConfiguration={"LocationConstraint": "fi-fi-1"})
    client.create_bucket(Bucket="to-de", CreateBucketConfiguration={"LocationConstraint": "de-de-1"})
    body = b"x" * (2 * MEBIBYTE)
    client.put_object(Bucket="from-fi", Key="a", Body=body)
    client.copy_object(Bucket="to-de", Key="b", CopySource="from-fi/a")
    assert client.get_object(Bucket="to-de", Key="b")["Body"].read() == body
    where = stack.query(
        "SELECT backends.name FROM replicas JOIN versions ON sequence = version_sequence"
        " JOIN backends ON backends.id = backend_id WHERE CAST(key AS TEXT) = 'b'"
    )
    assert where == [("de",)]
    stack.set_policy({"residency": {"deny": ["country:DE"]}}, "--bucket", "to-de", "--tenant", "alice")
    before = stack.stored()
    with pytest.raises(ClientError) as error:
        client.copy_object(Bucket="to-de", Key="c", CopySource="from-fi/a")
    assert code(error) == ("PlacementPolicyViolation", 409)
    assert stack.stored() == before


def test_a_damaged_source_is_not_copied(stacks):
    stack = stacks.files().start()
    client = stack.boto3("alice")
    client.create_bucket(Bucket="from-fi", CreateBucketConfiguration={"LocationConstraint": "fi-fi-1"})
    client.create_bucket(Bucket="to-de", CreateBucketConfiguration={"LocationConstraint": "de-de-1"})
    client.put_object(Bucket="from-fi", Key="a", Body=b"right bytes")
    for path, size in stack.stored("fi").items():
        if size == len(b"right bytes"):
            with open(path, "r+b") as file:
                file.write(b"wrong")
    answer = stack.raw("alice").request("PUT", "/to-de/b", headers=[("x-amz-copy-source", "/from-fi/a")])
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert not [path for path, size in stack.stored("de").items() if size == len(b"right bytes")]


def test_a_copy_that_policy_wants_twice_gets_its_second_replica(stacks):
    stack = stacks.files().start()
    stack.set_policy({"replicas": {"count": 2, "distinct": "country"}}, "--tenant", "alice")
    client = stack.boto3("alice")
    client.create_bucket(Bucket="twice")
    client.put_object(Bucket="twice", Key="a", Body=b"bytes")
    client.copy_object(Bucket="twice", Key="b", CopySource="twice/a")
    stack.worker_once()
    wait_until(
        lambda: stack.query(
            "SELECT COUNT(*) FROM replicas JOIN versions ON sequence = version_sequence"
            " WHERE CAST(key AS TEXT) = 'b' AND replicas.state = 'present'"
        )
        == [(2,)],
        "both replicas",
    )


def test_aws_cli_copies_and_moves(gateway, bucket, tmp_path):
    (tmp_path / "f").write_bytes(b"content")
    for words in (
        ("cp", tmp_path / "f", f"s3://{bucket}/a b"),
        ("cp", f"s3://{bucket}/a b", f"s3://{bucket}/c+d"),
        ("mv", f"s3://{bucket}/c+d", f"s3://{bucket}/e"),
    ):
        aws(gateway, "s3", *words)
    listed = gateway.boto3("alice").list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == ["a b", "e"]
