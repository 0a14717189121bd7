"""The database is lost: what the backends hold is enough to make it again, to the last byte that a client can see."""

import secrets

import pytest

from support.processes import wait_until
from support.recovery import differences, dump, lose_database, rebuild, settle, worker

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}
PART = 5 << 20
AWKWARD = ["a/../b", "//", "x" * 1000, "snow ☃ man", "+ %2F&=?", "dir/", "=3D~x", "\u00e9/e\u0301", "a\tb"]


def upload_in_parts(s3, bucket, key, sizes, **options):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="CRC32", **options)["UploadId"]
    parts = []
    for number, size in enumerate(sizes, 1):
        part = s3.upload_part(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=secrets.token_bytes(size),
            ChecksumAlgorithm="CRC32",
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


def fill(stack):
    """A bit of everything, for two tenants with a bucket of the same name."""
    for tenant in ("alice", "bob"):
        s3 = stack.boto3(tenant)
        s3.create_bucket(Bucket="same-name")
        s3.put_object(Bucket="same-name", Key="whose", Body=tenant.encode())
    s3 = stack.boto3("alice")
    plain = stack.new_bucket("alice")
    for key in AWKWARD:
        s3.put_object(Bucket=plain, Key=key, Body=key.encode())
    s3.put_object(Bucket=plain, Key="empty", Body=b"")
    s3.put_object(Bucket=plain, Key="é" * 512, Body=b"3,072 bytes when its key is percent-encoded")
    s3.put_object(Bucket=plain, Key="large", Body=secrets.token_bytes(3 << 20), ChecksumAlgorithm="SHA256")
    s3.put_object(
        Bucket=plain,
        Key="many-headers",
        Body=b"x",
        ContentType="text/plain; charset=utf-8",
        CacheControl="no-store",
        ContentDisposition='attachment; filename="a b.txt"',
        ContentEncoding="identity",
        ContentLanguage="fi",
        Metadata={"one": "1", "with-dash": "%41+ b", "under_score": "x", "long": "v" * 1900},
        StorageClass="STANDARD_IA",
        Tagging="colour=blue&empty=",
    )
    s3.put_object(
        Bucket=plain,
        Key="y" * 1000,
        Body=b"long key, much metadata",
        Metadata={f"name-{number}": "z" * 170 for number in range(10)},
        Tagging="&".join(f"key{number}={'t' * 250}" for number in range(10)),
    )
    s3.copy_object(Bucket=plain, Key="copied", CopySource={"Bucket": plain, "Key": "many-headers"})
    upload_in_parts(s3, plain, "parts", [PART, PART, 1000], Metadata={"made": "of parts"}, Tagging="p=q")
    for _ in range(3):
        s3.put_object(Bucket=plain, Key="overwritten", Body=secrets.token_bytes(100))
    s3.put_object(Bucket=plain, Key="deleted", Body=b"gone")
    s3.delete_object(Bucket=plain, Key="deleted")
    s3.put_object(Bucket=plain, Key="tagged-later", Body=b"x", Tagging="a=1")
    s3.put_object_tagging(Bucket=plain, Key="tagged-later", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    s3.put_bucket_tagging(Bucket=plain, Tagging={"TagSet": [{"Key": "team", "Value": "red"}]})
    fill_versioned(stack, s3)
    gone = stack.new_bucket("alice")
    s3.put_object(Bucket=gone, Key="x", Body=b"x")
    s3.delete_object(Bucket=gone, Key="x")
    s3.delete_bucket(Bucket=gone)
    narrow = stack.new_bucket("bob")
    stack.set_policy({"residency": {"allow": ["country:FI", "country:DE"]}}, "--bucket", narrow, "--tenant", "bob")
    stack.boto3("bob").put_object(Bucket=narrow, Key="at-home", Body=b"here")
    spare = stack.create_key("bob")
    stack.s3gw("key", "disable", spare.access_key_id)


def fill_versioned(stack, s3):
    bucket = stack.new_bucket("alice")
    s3.put_object(Bucket=bucket, Key="was-null", Body=b"null version")
    s3.put_object(Bucket=bucket, Key="stays-null", Body=b"another null version")
    versioning = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}
    s3.put_bucket_versioning(**versioning)
    versions = [s3.put_object(Bucket=bucket, Key="v", Body=secrets.token_bytes(50)) for _ in range(5)]
    s3.delete_object(Bucket=bucket, Key="v", VersionId=versions[2]["VersionId"])
    s3.delete_object(Bucket=bucket, Key="v")
    s3.put_object(Bucket=bucket, Key="v", Body=b"after the marker")
    tags = {"TagSet": [{"Key": "old", "Value": "version"}]}
    s3.put_object_tagging(Bucket=bucket, Key="v", VersionId=versions[0]["VersionId"], Tagging=tags)
    s3.put_object(Bucket=bucket, Key="was-null", Body=b"not null")
    s3.put_object(Bucket=bucket, Key="hidden", Body=b"behind a marker")
    s3.delete_object(Bucket=bucket, Key="hidden")
    marker = s3.delete_object(Bucket=bucket, Key="back")
    s3.delete_object(Bucket=bucket, Key="back", VersionId=marker["VersionId"])
    s3.delete_object(Bucket=bucket, Key="only-a-marker")
    s3.put_object(Bucket=bucket, Key="parts", Body=b"one piece")
    upload_in_parts(s3, bucket, "parts", [PART, 10])
    versioning["VersioningConfiguration"] = {"Status": "Suspended"}
    s3.put_bucket_versioning(**versioning)
    for number in range(2):
        s3.put_object(Bucket=bucket, Key="v", Body=f"suspended {number}".encode())
    s3.delete_object(Bucket=bucket, Key="was-null")


@pytest.fixture(params=["file", "radosgw"])
def full(request, stacks):
    """A stack of that kind with everything in it, and nothing left to do."""
    stack = stacks.files() if request.param == "file" else stacks.over(request.getfixturevalue("radosgw"))
    stack.kind = request.param
    for tenant in ("alice", "bob"):
        stack.set_policy(TWO, "--tenant", tenant)
    stack.start()
    fill(stack)
    return stack


def add_first_backend(stack):
    if stack.kind == "file":
        stack.add_file_backend("fi", "FI", "--jurisdiction", "EU")
    else:
        stack.add_s3_backend("fi", stack.backends["fi"], "FI", "--jurisdiction", "EU")


@pytest.mark.timeout(300)
def test_a_lost_database_is_made_again_from_the_backends(full):
    settle(full)
    before = dump(full)
    assert len([name for name in before if name[-1] == "get"]) > 25, "there is something to compare"
    full.stop()
    lose_database(full)
    add_first_backend(full)
    print(rebuild(full))
    full.start()
    assert differences(before, dump(full)) == {}
    settle(full)
    assert differences(before, dump(full)) == {}, "the worker finds everything as it should be"
    s3 = full.boto3("alice")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    s3.put_object(Bucket=bucket, Key="new", Body=b"life goes on")
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"life goes on"


@pytest.mark.timeout(300)
def test_what_died_while_a_backend_was_away_stays_dead(stacks):
    stack = stacks.files()
    stack.kind = "file"
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    s3 = stack.boto3("alice")
    plain, versioned = stack.new_bucket("alice"), stack.new_bucket("alice")
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=plain, Key="deleted", Body=b"old")
    s3.put_object(Bucket=plain, Key="overwritten", Body=b"old")
    old = s3.put_object(Bucket=versioned, Key="v", Body=b"old")["VersionId"]
    s3.put_object(Bucket=versioned, Key="v", Body=b"new")
    marker = s3.delete_object(Bucket=versioned, Key="w")["VersionId"]
    settle(stack)

    away = stack.backends["de"]
    hidden = away.with_name("away")
    away.rename(hidden)
    s3.delete_object(Bucket=plain, Key="deleted")
    s3.put_object(Bucket=plain, Key="overwritten", Body=b"new")
    s3.delete_object(Bucket=versioned, Key="v", VersionId=old)
    s3.delete_object(Bucket=versioned, Key="w", VersionId=marker)

    def is_written_down():
        worker(stack, "once")
        dead = """SELECT COUNT(DISTINCT p.version_id) FROM record_places p
            JOIN records r ON r.version_id = p.version_id AND r.revision = p.revision
            WHERE p.is_written = 1 AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = r.version_id AND v.state = 'live')"""
        return stack.query(dead)[0][0] == 4

    wait_until(is_written_down, "the deaths are written down", 60, pause=0.5)
    stack.stop()
    hidden.rename(away)
    lose_database(stack)
    add_first_backend(stack)
    rebuild(stack)
    stack.start()
    s3 = stack.boto3("alice")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=plain)["Contents"]] == ["overwritten"]
    assert s3.get_object(Bucket=plain, Key="overwritten")["Body"].read() == b"new"
    listing = s3.list_object_versions(Bucket=versioned)
    assert len(listing["Versions"]) == 1 and "DeleteMarkers" not in listing
    settle(stack)
    left = [path for path in stack.stored("de") if "%data" in path and "/s3gw-" in path]
    assert not [path for path in left if "deleted" in path], "the dead bytes are gone at last"


def test_a_rebuild_refuses_a_database_with_content(full):
    if full.kind != "file":
        pytest.skip("once is enough")
    result = worker(full, "rebuild")
    assert result.returncode == 3 and "not empty" in result.stderr
    full.stop()
    (full.directory / "master.key").unlink()
    lose_database(full)
    full.add_file_backend("fi", "FI", "--jurisdiction", "EU")
    result = worker(full, "rebuild")
    assert result.returncode == 3 and "key" in result.stderr, "another master key opens nothing"


@pytest.mark.timeout(120)
def test_the_copies_of_the_configuration_stay_where_policy_allows_them(stacks):
    stack = stacks.files()
    stack.set_policy({"residency": {"allow": ["country:FI"]}}, "--tenant", "alice")
    stack.start()
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_object(Bucket=bucket, Key="secret-project")
    settle(stack)
    tenant = stack.query("SELECT id FROM tenants WHERE name = 'alice'")[0][0]
    for backend in ("fi", "de", "fr"):
        recorded = stack.recorded(backend)
        has_tenant = any(f"/tenant/{tenant}~" in path for path in recorded)
        has_version = any("/version/" in path for path in recorded)
        assert (has_tenant, has_version) == (backend == "fi", backend == "fi"), (backend, recorded)
    # Policy changes its mind: everything moves along.
    stack.set_policy({"residency": {"allow": ["country:DE"]}}, "--tenant", "alice")
    settle(stack)
    for backend in ("fi", "de", "fr"):
        assert any(f"/tenant/{tenant}~" in path for path in stack.recorded(backend)) == (backend == "de")
