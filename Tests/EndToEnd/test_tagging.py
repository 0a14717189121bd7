"""Tags of objects and buckets, and the tag that asks for a number of replicas."""

import concurrent.futures
import threading

import pytest
from botocore.exceptions import ClientError

from support.processes import wait_until
from support.rclone import Rclone
from support.tcpproxy import TCPProxy


def code(error):
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def tags(**pairs):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def tag_set(client, bucket, key, **options):
    found = client.get_object_tagging(Bucket=bucket, Key=key, **options)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def document(*pairs):
    inside = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs)
    return f"<Tagging><TagSet>{inside}</TagSet></Tagging>".encode()


def test_tags_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert tag_set(s3, bucket, "k") == {}
    assert "TagCount" not in s3.head_object(Bucket=bucket, Key="k")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(one="1", two="a b+c"))
    assert tag_set(s3, bucket, "k") == {"one": "1", "two": "a b+c"}
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(three="3"))
    assert tag_set(s3, bucket, "k") == {"three": "3"}
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert tag_set(s3, bucket, "k") == {}


def test_tags_with_a_write(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="one=1&two=a%20b%2Bc+d&empty=&bare")
    assert tag_set(s3, bucket, "k") == {"one": "1", "two": "a b+c d", "empty": "", "bare": ""}
    s3.put_object(Bucket=bucket, Key="k", Body=b"y")
    assert tag_set(s3, bucket, "k") == {}, "tags belong to the version and not to the key"


def test_tags_with_an_upload_in_parts(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Tagging="one=1")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert tag_set(s3, bucket, "k") == {"one": "1"}


def test_tags_of_a_copy(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging="one=1")
    s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    assert tag_set(s3, bucket, "b") == {"one": "1"}
    s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/a", Tagging="two=2")
    assert tag_set(s3, bucket, "c") == {"one": "1"}, "without the directive they are copied"
    s3.copy_object(Bucket=bucket, Key="d", CopySource=f"{bucket}/a", TaggingDirective="REPLACE", Tagging="two=2")
    assert tag_set(s3, bucket, "d") == {"two": "2"}
    s3.copy_object(Bucket=bucket, Key="e", CopySource=f"{bucket}/a", TaggingDirective="REPLACE")
    assert tag_set(s3, bucket, "e") == {}


def test_tags_of_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="v=1")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"2", Tagging="v=2")["VersionId"]
    answer = s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=old, Tagging=tags(v="old"))
    assert answer["VersionId"] == old
    assert tag_set(s3, bucket, "k", VersionId=old) == {"v": "old"}
    assert tag_set(s3, bucket, "k") == {"v": "2"}
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["VersionId"] == new
    s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=old)
    assert tag_set(s3, bucket, "k", VersionId=old) == {}
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for version, expected in (
        ({}, ("NoSuchKey", 404)),
        ({"VersionId": marker}, ("MethodNotAllowed", 405)),
        ({"VersionId": old[:-1] + ("0" if old[-1] != "0" else "1")}, ("NoSuchVersion", 404)),
    ):
        for call in (
            lambda: s3.get_object_tagging(Bucket=bucket, Key="k", **version),
            lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(a="b"), **version),
            lambda: s3.delete_object_tagging(Bucket=bucket, Key="k", **version),
        ):
            with pytest.raises(ClientError) as error:
                call()
            assert code(error) == expected


REFUSED = [
    (document(*((f"k{n}", "v") for n in range(11))), "BadRequest"),
    (document(("a", "1"), ("a", "2")), "InvalidTag"),
    (document(("", "1")), "InvalidTag"),
    (document(("a" * 129, "1")), "InvalidTag"),
    (document(("a", "v" * 257)), "InvalidTag"),
    (document(("aws:a", "v")), "InvalidTag"),
    (document(("a?", "v")), "InvalidTag"),
    (document(("replica-count", "none")), "InvalidTag"),
    (document(("replica-count", "17")), "InvalidTag"),
    (b"<Tagging/>", "MalformedXML"),
    (b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", "MalformedXML"),
    (b"<Tagging><TagSet><Other/></TagSet></Tagging>", "MalformedXML"),
    (b"<Tagging><TagSet></TagSet><TagSet></TagSet></Tagging>", "MalformedXML"),
    (b"<Tags><TagSet></TagSet></Tags>", "MalformedXML"),
    (b"", "MalformedXML"),
]


@pytest.mark.parametrize("body, name", REFUSED)
def test_tags_that_are_refused(raw, bucket, body, name):
    raw.request("PUT", f"/{bucket}/k", b"x", headers=[("x-amz-tagging", "kept=1")])
    answer = raw.request("PUT", f"/{bucket}/k?tagging", body)
    assert (answer.status, answer.code) == (400, name)
    assert raw.request("GET", f"/{bucket}/k?tagging").xml.findtext("TagSet/Tag/Key") == "kept"


@pytest.mark.parametrize(
    "value, name",
    [
        ("a=1&a=2", "InvalidArgument"),
        ("a=%zz", "InvalidArgument"),
        ("a%3F=1", "InvalidTag"),
        ("=1", "InvalidTag"),
        ("&".join(f"k{n}=v" for n in range(11)), "BadRequest"),
        ("replica-count=0", "InvalidTag"),
    ],
)
def test_a_write_with_tags_that_are_refused(raw, gateway, bucket, value, name):
    raw.request("PUT", f"/{bucket}/a", b"x")
    before = gateway.stored()
    for method, target, headers in (
        ("PUT", f"/{bucket}/k", []),
        ("PUT", f"/{bucket}/k", [("x-amz-copy-source", f"{bucket}/a"), ("x-amz-tagging-directive", "REPLACE")]),
        ("POST", f"/{bucket}/k?uploads", []),
    ):
        answer = raw.request(method, target, headers=[("x-amz-tagging", value), *headers])
        assert (answer.status, answer.code) == (400, name)
    assert raw.request("HEAD", f"/{bucket}/k").status == 404
    assert gateway.stored() == before


def test_tags_of_a_bucket(s3, bucket, raw):
    with pytest.raises(ClientError) as error:
        s3.get_bucket_tagging(Bucket=bucket)
    assert code(error) == ("NoSuchTagSet", 404)
    many = {f"k{n}": "v" for n in range(50)}
    for pairs in ({"one": "1"}, many):
        s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(**pairs))
        assert {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]} == pairs
    with pytest.raises(ClientError) as error:
        s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(**many, more="1"))
    assert code(error) == ("BadRequest", 400)
    assert len(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 50
    assert raw.request("DELETE", f"/{bucket}?tagging").status == 204
    with pytest.raises(ClientError) as error:
        s3.get_bucket_tagging(Bucket=bucket)
    assert code(error) == ("NoSuchTagSet", 404)


# The tag replica-count.


@pytest.fixture
def stack(stacks):
    return stacks.files().start()


def present(stack, key):
    rows = stack.query(
        "SELECT backends.name FROM replicas JOIN versions ON sequence = version_sequence"
        " JOIN backends ON backends.id = backend_id"
        " WHERE CAST(key AS TEXT) = ? AND versions.state = 'live' AND replicas.state = 'present'",
        key,
    )
    return len(rows)


def test_an_object_is_replicated_as_its_tag_says(stack):
    client = stack.boto3("alice")
    client.create_bucket(Bucket="tagged")
    client.put_object(Bucket="tagged", Key="k", Body=b"bytes", Tagging="replica-count=2")
    stack.worker_once()
    assert present(stack, "k") == 2
    client.put_object_tagging(Bucket="tagged", Key="k", Tagging=tags(**{"replica-count": "3"}))
    stack.worker_once()
    assert present(stack, "k") == 3
    client.put_object_tagging(Bucket="tagged", Key="k", Tagging=tags(**{"replica-count": "1"}))
    stack.worker_once()
    assert present(stack, "k") == 1
    client.delete_object_tagging(Bucket="tagged", Key="k")
    stack.worker_once()
    assert present(stack, "k") == 1
    assert client.get_object(Bucket="tagged", Key="k")["Body"].read() == b"bytes"
    files = [path for path, size in stack.stored().items() if size == len(b"bytes")]
    assert len(files) == 1


def test_tags_that_are_written_at_once_leave_the_replicas_of_the_one_that_stays(stack):
    client = stack.boto3("alice")
    client.create_bucket(Bucket="tagged")
    client.put_object(Bucket="tagged", Key="k", Body=b"bytes", Tagging="replica-count=1")
    raw = stack.raw("alice")

    def write(number):
        return raw.request("PUT", "/tagged/k?tagging", document(("replica-count", str(number)))).status

    for _ in range(12):
        with concurrent.futures.ThreadPoolExecutor(8) as writers:
            assert set(writers.map(write, (1, 3) * 8)) == {200}
        stack.worker_once()
        assert present(stack, "k") == int(tag_set(client, "tagged", "k")["replica-count"])


def test_a_replica_that_is_wanted_again_while_it_is_removed_comes_back(stacks):
    store = Rclone("de", stacks.directory("rclone") / "de")
    stacks.exits.callback(store.stop)
    proxy = TCPProxy(("127.0.0.1", store.port))
    stacks.exits.callback(proxy.close)
    stack = stacks.bare()
    stack.add_file_backend("fi", "FI")
    stack.add_s3_backend("de", store.at(proxy.endpoint), "DE")
    stack.create_tenant("alice", {"replicas": {"count": 1, "order": ["fi-fi-1", "de-de-1"]}})
    client = stack.start().boto3("alice")
    client.create_bucket(Bucket="tagged")
    client.put_object(Bucket="tagged", Key="k", Body=b"bytes", Tagging="replica-count=2")
    stack.worker_once()
    assert present(stack, "k") == 2
    client.put_object_tagging(Bucket="tagged", Key="k", Tagging=tags(**{"replica-count": "1"}))
    proxy.gate = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as worker:
        work = worker.submit(stack.run_worker_once)
        try:
            wait_until(lambda: proxy.deletes_held, "the replica is being removed")
            client.put_object_tagging(Bucket="tagged", Key="k", Tagging=tags(**{"replica-count": "2"}))
        finally:
            proxy.gate.set()
        work.result()
    stack.worker_once()
    assert present(stack, "k") == 2
    assert [path for path in store.directory.rglob("k~*") if path.is_file()], "the replica on de is only a row"


def test_a_buckets_tag_holds_for_what_is_there_and_what_is_written_from_then_on(stack):
    client = stack.boto3("alice")
    client.create_bucket(Bucket="tagged")
    client.put_object(Bucket="tagged", Key="before", Body=b"1")
    client.put_bucket_tagging(Bucket="tagged", Tagging=tags(**{"replica-count": "3"}))
    client.put_object(Bucket="tagged", Key="after", Body=b"2")
    client.put_object(Bucket="tagged", Key="own", Body=b"3", Tagging="replica-count=2")
    stack.worker_once()
    assert [present(stack, key) for key in ("before", "after", "own")] == [3, 3, 2]


def test_a_tag_never_goes_below_the_tenants_number_or_beyond_its_backends(stack):
    stack.set_policy({"replicas": {"count": 2}}, "--tenant", "alice")
    client = stack.boto3("alice")
    client.create_bucket(Bucket="tagged")
    client.put_object(Bucket="tagged", Key="k", Body=b"1", Tagging="replica-count=1")
    stack.worker_once()
    assert present(stack, "k") == 2
    before = stack.stored()
    for call in (
        lambda: client.put_object(Bucket="tagged", Key="more", Body=b"1", Tagging="replica-count=4"),
        lambda: client.put_object_tagging(Bucket="tagged", Key="k", Tagging=tags(**{"replica-count": "4"})),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert code(error) == ("PlacementPolicyViolation", 409)
    assert stack.stored() == before
    assert client.get_object_tagging(Bucket="tagged", Key="k")["TagSet"][0]["Value"] == "1"
