"""minio-py, as its users use it: files, streams, parts, copies, presigned URLs, forms, tags, versions, removal."""

import datetime
import hashlib
import io

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import ENABLED, VersioningConfig

MIB = 1 << 20
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def http(world):
    return urllib3.PoolManager(ca_certs=str(world.authority.ca))


def connect(world, http, region=None):
    credentials = world.credentials()
    return Minio(
        world.https_url.removeprefix("https://"),
        access_key=credentials.access_key_id,
        secret_key=credentials.secret_access_key,
        region=region,
        http_client=http,
    )


@pytest.fixture
def client(world, http):
    """A client that was told nothing but where the gateway is: it asks for a bucket's region by itself."""
    return connect(world, http)


@pytest.fixture
def fresh(world):
    return world.new_bucket()


def content(client, bucket, key, **options):
    response = client.get_object(bucket, key, **options)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def test_files_and_streams_of_every_size_keep_every_byte(client, fresh, payload, tmp_path):
    for size in (0, 1, 70_000, 13 * MIB + 5):
        source, target = tmp_path / "source", tmp_path / f"target-{size}"
        source.write_bytes(payload(size))
        client.fput_object(fresh, f"files/{size}", str(source), metadata={"purpose": "test"})
        client.fget_object(fresh, f"files/{size}", str(target))
        assert target.read_bytes() == source.read_bytes()
        stat = client.stat_object(fresh, f"files/{size}")
        assert (stat.size, stat.metadata["x-amz-meta-purpose"]) == (size, "test")
    # A stream of unknown length goes in parts.
    body = payload(12 * MIB + 7)
    done = client.put_object(fresh, "stream", io.BytesIO(body), -1, part_size=5 * MIB)
    assert done.etag.endswith("-3")
    assert hashlib.sha256(content(client, fresh, "stream")).digest() == hashlib.sha256(body).digest()
    assert content(client, fresh, "stream", offset=5 * MIB - 3, length=6) == body[5 * MIB - 3 : 5 * MIB + 3]


def test_listing_with_and_without_folders(client, fresh):
    keys = ["a b+c.txt", "deep/er/1", "deep/er/2", "deep/3", "ü/é"]
    for key in keys:
        client.put_object(fresh, key, io.BytesIO(b"x"), 1)
    assert sorted(each.object_name for each in client.list_objects(fresh, recursive=True)) == sorted(keys)
    assert {(each.object_name, each.is_dir) for each in client.list_objects(fresh)} == {
        ("a b+c.txt", False),
        ("deep/", True),
        ("ü/", True),
    }
    assert [each.object_name for each in client.list_objects(fresh, "deep/", recursive=True, start_after="deep/3")] == [
        "deep/er/1",
        "deep/er/2",
    ]
    assert [each.object_name for each in client.list_objects(fresh, "deep/", use_api_v1=True)] == ["deep/3", "deep/er/"]
    assert list(client.remove_objects(fresh, [DeleteObject(key) for key in keys])) == []
    assert list(client.list_objects(fresh, recursive=True)) == []


def test_copies_and_compositions(client, fresh, payload):
    first, second = payload(6 * MIB), payload(100_000)
    client.put_object(fresh, "first", io.BytesIO(first), len(first), metadata={"a": "b"})
    client.put_object(fresh, "second", io.BytesIO(second), len(second))
    client.copy_object(fresh, "copy", CopySource(fresh, "first"))
    assert content(client, fresh, "copy") == first
    assert client.stat_object(fresh, "copy").metadata["x-amz-meta-a"] == "b"
    client.compose_object(fresh, "both", [ComposeSource(fresh, "first"), ComposeSource(fresh, "second")])
    assert content(client, fresh, "both") == first + second
    with pytest.raises(S3Error) as caught:
        client.copy_object(fresh, "copy", CopySource(fresh, "nowhere"))
    assert caught.value.code == "NoSuchKey"


def test_presigned_urls_and_a_form(client, world, http, fresh, payload):
    body = payload(50_000)
    hour = datetime.timedelta(hours=1)
    assert http.request("PUT", client.presigned_put_object(fresh, "pre signed", expires=hour), body=body).status == 200
    url = client.presigned_get_object(
        fresh, "pre signed", expires=hour, response_headers={"response-content-type": "text/x"}
    )
    answer = http.request("GET", url)
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, body, "text/x")
    policy = PostPolicy(fresh, datetime.datetime.now(datetime.timezone.utc) + hour)
    policy.add_equals_condition("key", "form/upload")
    policy.add_content_length_range_condition(1, 100_000)
    fields = client.presigned_post_policy(policy) | {"key": "form/upload", "file": ("name.bin", body)}
    assert http.request("POST", f"{world.https_url}/{fresh}", fields=fields).status == 204
    assert content(client, fresh, "form/upload") == body


def test_buckets_tags_and_versions(world, http, fresh):
    # Of no bucket there is a region to ask for: as on AWS, it has to be told then.
    client = connect(world, http, region=world.settings["region"])
    name = f"{fresh}-2"
    client.make_bucket(name)
    assert client.bucket_exists(name) and not client.bucket_exists(f"{fresh}-3")
    assert name in [each.name for each in client.list_buckets()]
    tags = Tags.new_object_tags()
    tags["project"] = "x y"
    client.put_object(name, "k", io.BytesIO(b"1"), 1, tags=tags)
    assert client.get_object_tags(name, "k") == {"project": "x y"}
    client.delete_object_tags(name, "k")
    assert client.get_object_tags(name, "k") is None
    client.set_bucket_versioning(name, VersioningConfig(ENABLED))
    assert client.get_bucket_versioning(name).status == "Enabled"
    second = client.put_object(name, "k", io.BytesIO(b"22"), 2)
    client.remove_object(name, "k")
    with pytest.raises(S3Error) as caught:
        client.stat_object(name, "k")
    assert caught.value.code == "NoSuchKey"
    assert content(client, name, "k", version_id=second.version_id) == b"22"
    versions = list(client.list_objects(name, include_version=True, recursive=True))
    assert [(each.is_delete_marker, each.size) for each in versions if each.is_delete_marker] == [(True, None)]
    assert len(versions) == 3
    client_errors = client.remove_objects(name, [DeleteObject("k", each.version_id) for each in versions])
    assert list(client_errors) == []
    client.remove_bucket(name)
    assert not client.bucket_exists(name)
