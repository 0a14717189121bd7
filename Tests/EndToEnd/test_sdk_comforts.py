"""The comfortable half of boto3 and of the command-line clients: transfers, resources, paginators, waiters, moves, syncs."""

import hashlib
import io
import json
import os
import threading
import time

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, WaiterError

from support.clients import aws, curl, rclone, s3cmd, s5cmd, tree
from support.multipart import MIB

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def fresh(world):
    return world.new_bucket()


@pytest.fixture
def resource(world):
    credentials = world.credentials()
    return boto3.resource(
        "s3",
        endpoint_url=world.https_url,
        region_name=world.settings["region"],
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        verify=str(world.authority.ca),
    )


@pytest.fixture
def files(tmp_path, payload):
    """A small tree whose files are large enough for parts in one case."""
    root = tmp_path / "files"
    for index, name in enumerate(("a.txt", "b c.txt", "deep/d+e.txt", "deep/er/ü.bin", "large.bin")):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload(17 * MIB if name == "large.bin" else 1000 * index))
        # S3 tells times in whole seconds: a file of this second would count as newer than its own upload.
        os.utime(path, (time.time() - 60,) * 2)
    return root


def keys(world, bucket):
    pages = world.boto3().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sorted(each["Key"] for page in pages for each in page.get("Contents", []))


# boto3.


def test_the_transfer_manager_at_its_defaults_uploads_copies_and_downloads(world, fresh, payload, tmp_path):
    s3 = world.boto3()
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(payload(25 * MIB + 1))  # above the 8 MiB from which on it uses parts
    seen, lock = [], threading.Lock()

    def progress(count):
        with lock:
            seen.append(count)

    s3.upload_file(str(source), fresh, "k", Callback=progress, ExtraArgs={"Metadata": {"a": "b"}})
    assert sum(seen) == source.stat().st_size
    head = s3.head_object(Bucket=fresh, Key="k", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-4"') and head["Metadata"] == {"a": "b"} and head["ChecksumType"]
    s3.copy({"Bucket": fresh, "Key": "k"}, fresh, "copy", Config=TransferConfig(multipart_threshold=10 * MIB))
    s3.download_file(fresh, "copy", str(target))
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()

    class Endless(io.RawIOBase):
        """A stream that cannot seek and tells no length."""

        def __init__(self):
            self.inner = io.BytesIO(source.read_bytes())

        def readable(self):
            return True

        def readinto(self, buffer):
            return self.inner.readinto(buffer)

    s3.upload_fileobj(Endless(), fresh, "stream")
    assert s3.head_object(Bucket=fresh, Key="stream")["ETag"] == head["ETag"]


def test_resources(resource, fresh, payload):
    body = payload(5000)
    bucket = resource.Bucket(fresh)
    thing = bucket.put_object(Key="dir/k", Body=body, Metadata={"a": "b"})
    thing.wait_until_exists()
    assert resource.Object(fresh, "dir/k").get()["Body"].read() == body
    assert (thing.content_length, thing.metadata, thing.e_tag) == (
        5000,
        {"a": "b"},
        f'"{hashlib.md5(body).hexdigest()}"',
    )
    resource.Object(fresh, "copy").copy_from(CopySource=f"{fresh}/dir/k")
    resource.Object(fresh, "managed").copy({"Bucket": fresh, "Key": "copy"})
    assert [each.key for each in bucket.objects.all()] == ["copy", "dir/k", "managed"]
    assert [each.key for each in bucket.objects.filter(Prefix="dir/").limit(1)] == ["dir/k"]
    upload = resource.Object(fresh, "parts").initiate_multipart_upload()
    part = upload.Part(1).upload(Body=body)
    assert [each.part_number for each in upload.parts.all()] == [1]
    assert [each.object_key for each in bucket.multipart_uploads.all()] == ["parts"]
    upload.complete(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert resource.ObjectSummary(fresh, "parts").size == 5000
    bucket.Versioning().enable()
    assert bucket.Versioning().status == "Enabled"
    bucket.put_object(Key="copy", Body=b"newer")
    assert len(list(bucket.object_versions.filter(Prefix="copy"))) == 2
    bucket.Tagging().put(Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert bucket.Tagging().tag_set == [{"Key": "a", "Value": "b"}]
    assert fresh in [each.name for each in resource.buckets.all()]
    bucket.objects.delete()
    bucket.object_versions.delete()
    bucket.delete()
    bucket.wait_until_not_exists()
    assert bucket.creation_date is None


def test_paginators_come_to_the_end_at_any_page_size(world, fresh):
    s3 = world.boto3()
    s3.put_bucket_versioning(Bucket=fresh, VersioningConfiguration={"Status": "Enabled"})
    wanted = [f"{letter}/{number} +ü" for letter in "abc" for number in range(5)]
    for key in wanted:
        s3.put_object(Bucket=fresh, Key=key, Body=b"1")
        s3.put_object(Bucket=fresh, Key=key, Body=b"2")
    for size in (1, 2, 7, 1000):
        page_size = {"PageSize": size}
        for name in ("list_objects", "list_objects_v2"):
            pages = s3.get_paginator(name).paginate(Bucket=fresh, PaginationConfig=page_size)
            assert [each["Key"] for page in pages for each in page.get("Contents", [])] == wanted
            folders = s3.get_paginator(name).paginate(Bucket=fresh, Delimiter="/", PaginationConfig=page_size)
            assert [each["Prefix"] for page in folders for each in page.get("CommonPrefixes", [])] == ["a/", "b/", "c/"]
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=fresh, PaginationConfig=page_size)
        found = [(each["Key"], each["IsLatest"]) for page in pages for each in page.get("Versions", [])]
        assert found == [(key, latest) for key in wanted for latest in (True, False)]
    # A pagination that is resumed by its own token.
    paginator = s3.get_paginator("list_objects_v2")
    first = paginator.paginate(Bucket=fresh, PaginationConfig={"MaxItems": 4, "PageSize": 3}).build_full_result()
    rest = paginator.paginate(
        Bucket=fresh, PaginationConfig={"StartingToken": first["NextToken"], "PageSize": 3}
    ).build_full_result()
    assert [each["Key"] for each in first["Contents"] + rest["Contents"]] == wanted


def test_waiters(world):
    s3 = world.boto3()
    name = world.new_bucket()
    soon = {"Delay": 1, "MaxAttempts": 10}
    s3.get_waiter("bucket_exists").wait(Bucket=name, WaiterConfig=soon)
    threading.Timer(1.5, lambda: world.boto3().put_object(Bucket=name, Key="k", Body=b"x")).start()
    s3.get_waiter("object_exists").wait(Bucket=name, Key="k", WaiterConfig=soon)
    with pytest.raises(WaiterError):
        s3.get_waiter("object_not_exists").wait(Bucket=name, Key="k", WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    s3.delete_object(Bucket=name, Key="k")
    s3.get_waiter("object_not_exists").wait(Bucket=name, Key="k", WaiterConfig=soon)
    s3.delete_bucket(Bucket=name)
    s3.get_waiter("bucket_not_exists").wait(Bucket=name, WaiterConfig=soon)
    with pytest.raises(ClientError):
        s3.head_bucket(Bucket=name)


# Command lines.


def test_aws_cli_copies_moves_presigns_and_removes(world, fresh, files, tmp_path):
    aws(world, "s3", "cp", "--recursive", files, f"s3://{fresh}/tree")
    aws(world, "s3", "mv", f"s3://{fresh}/tree/large.bin", f"s3://{fresh}/moved/large.bin")
    aws(world, "s3", "mv", "--recursive", f"s3://{fresh}/tree/deep", f"s3://{fresh}/moved/deep")
    assert keys(world, fresh) == sorted(
        ["moved/deep/d+e.txt", "moved/deep/er/ü.bin", "moved/large.bin", "tree/a.txt", "tree/b c.txt"]
    )
    url = aws(world, "s3", "presign", f"s3://{fresh}/moved/large.bin", "--expires-in", "60").decode().strip()
    assert hashlib.sha256(curl(world, url, signed=False)).digest() == (
        hashlib.sha256((files / "large.bin").read_bytes()).digest()
    )
    aws(world, "s3", "mv", "--recursive", f"s3://{fresh}/moved", tmp_path / "back")
    aws(world, "s3", "cp", "--recursive", f"s3://{fresh}/tree", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(files)
    aws(world, "s3", "rm", "--recursive", f"s3://{fresh}/tree", "--exclude", "*", "--include", "b*")
    assert keys(world, fresh) == ["tree/a.txt"]
    aws(world, "s3", "rm", "--recursive", f"s3://{fresh}")
    assert keys(world, fresh) == []


def test_aws_cli_syncs_changes_and_deletions_in_both_directions(world, fresh, files, tmp_path):
    aws(world, "s3", "sync", files, f"s3://{fresh}/x")
    assert aws(world, "s3", "sync", files, f"s3://{fresh}/x") == b"", "nothing has changed"
    (files / "a.txt").write_bytes(b"another length")
    (files / "b c.txt").unlink()
    aws(world, "s3", "sync", "--delete", files, f"s3://{fresh}/x")
    aws(world, "s3", "sync", f"s3://{fresh}/x", f"s3://{fresh}/y")
    aws(world, "s3", "sync", f"s3://{fresh}/y", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(files)


def test_aws_cli_s3api_multipart_versions_and_tags(world, fresh, payload, tmp_path):
    def api(*words):
        answer = aws(world, "s3api", *words)
        return json.loads(answer) if answer else None

    where = ("--bucket", fresh, "--key", "k")
    api("put-bucket-versioning", "--bucket", fresh, "--versioning-configuration", "Status=Enabled")
    upload = api("create-multipart-upload", *where)["UploadId"]
    parts = []
    for number, size in ((1, 5 * MIB), (2, 100)):
        (tmp_path / "part").write_bytes(payload(size))
        answer = api(
            "upload-part", *where, "--upload-id", upload, "--part-number", str(number), "--body", tmp_path / "part"
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    listed = api("list-parts", *where, "--upload-id", upload)["Parts"]
    assert [each["Size"] for each in listed] == [5 * MIB, 100]
    done = api(
        "complete-multipart-upload", *where, "--upload-id", upload, "--multipart-upload", json.dumps({"Parts": parts})
    )
    api("put-object-tagging", *where, "--tagging", "TagSet=[{Key=a,Value=b}]")
    assert api("get-object-tagging", *where)["TagSet"] == [{"Key": "a", "Value": "b"}]
    api("delete-object", *where)
    versions = api("list-object-versions", "--bucket", fresh)
    assert [each["VersionId"] for each in versions["Versions"]] == [done["VersionId"]]
    assert versions["DeleteMarkers"][0]["IsLatest"]
    attributes = api(
        "get-object-attributes", *where, "--version-id", done["VersionId"], "--object-attributes", "ETag", "ObjectSize"
    )
    assert attributes["ObjectSize"] == 5 * MIB + 100
    api("copy-object", *where, "--copy-source", f"{fresh}/k?versionId={done['VersionId']}")
    assert api("head-object", *where)["ContentLength"] == 5 * MIB + 100


def test_rclone_syncs_moves_and_checks_large_files_by_hash(world, fresh, files, tmp_path):
    parts = ("--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    rclone(world, "sync", *parts, files, f"gw:{fresh}/x")
    rclone(world, "check", files, f"gw:{fresh}/x")
    (files / "a.txt").write_bytes(b"changed")
    (files / "deep/d+e.txt").unlink()
    rclone(world, "sync", *parts, files, f"gw:{fresh}/x")
    rclone(world, "check", files, f"gw:{fresh}/x")
    rclone(world, "moveto", f"gw:{fresh}/x/large.bin", f"gw:{fresh}/y/large.bin")
    rclone(world, "copy", f"gw:{fresh}/x", f"gw:{fresh}/y")
    rclone(world, "purge", f"gw:{fresh}/x")
    rclone(world, "sync", f"gw:{fresh}/y", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(files)
    sums = dict(reversed(line.split("  ", 1)) for line in rclone(world, "md5sum", f"gw:{fresh}/y").decode().splitlines())
    assert sums["large.bin"] == hashlib.md5((files / "large.bin").read_bytes()).hexdigest()


def test_s5cmd_syncs_moves_and_pipes(world, fresh, files, tmp_path):
    s5cmd(world, "sync", f"{files}/", f"s3://{fresh}/x/")
    (files / "a.txt").write_bytes(b"another length")
    (files / "b c.txt").unlink()
    s5cmd(world, "sync", "--delete", f"{files}/", f"s3://{fresh}/x/")
    s5cmd(world, "mv", f"s3://{fresh}/x/*", f"s3://{fresh}/y/")
    s5cmd(world, "sync", f"s3://{fresh}/y/*", f"{tmp_path}/back/")
    assert tree(tmp_path / "back") == tree(files)
    s5cmd(world, "pipe", f"s3://{fresh}/piped", input=b"through a pipe")
    assert s5cmd(world, "cat", f"s3://{fresh}/piped") == b"through a pipe"
    assert len(s5cmd(world, "du", f"s3://{fresh}/*").splitlines()) == 1


def test_s3cmd_syncs_moves_and_uploads_in_parts(world, fresh, files, tmp_path):
    # Above 15 MB s3cmd uploads in parts.
    s3cmd(world, "sync", f"{files}/", f"s3://{fresh}/x/")
    assert "-" in world.boto3().head_object(Bucket=fresh, Key="x/large.bin")["ETag"]
    (files / "a.txt").write_bytes(b"another length")
    (files / "b c.txt").unlink()
    s3cmd(world, "sync", "--delete-removed", f"{files}/", f"s3://{fresh}/x/")
    s3cmd(world, "mv", "--recursive", f"s3://{fresh}/x/", f"s3://{fresh}/y/")
    (tmp_path / "back").mkdir()
    s3cmd(world, "sync", f"s3://{fresh}/y/", f"{tmp_path}/back/")
    assert tree(tmp_path / "back") == tree(files)
    assert s3cmd(world, "get", f"s3://{fresh}/y/a.txt", "-") == b"another length"
