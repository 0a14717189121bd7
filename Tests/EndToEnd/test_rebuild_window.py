"""What a loss of the database takes when no worker had written the last changes down: exactly that, and nothing more."""

import pytest
from botocore.exceptions import ClientError

from support.multipart import PART
from support.processes import wait_until
from support.recovery import differences, dump, lose_database, rebuild, settle

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}
TAGS = {"TagSet": [{"Key": "since", "Value": "later"}]}
SMALL = {"Metadata": {"colour": "blue"}, "ContentType": "text/x", "Tagging": "a=b"}
LARGE = {f"name-{number}": "z" * 170 for number in range(10)}


def body(s3, bucket, key, **options):
    return s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read()


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def head(s3, bucket, key):
    answer = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    answer.pop("ResponseMetadata")
    return answer


def versioned(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def in_parts(s3, bucket, key):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts = [b"a" * PART, b"b" * 10]
    made = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": made})
    return b"".join(parts)


def lose_everything(stack):
    """Kills all processes at once, and makes the database again."""
    stack.kill()
    lose_database(stack)
    stack.add_file_backend("fi", "FI", "--jurisdiction", "EU")
    said = rebuild(stack)
    stack.start()
    return said


@pytest.fixture
def stack(stacks):
    stack = stacks.files()
    for tenant in ("alice", "bob"):
        stack.set_policy(TWO, "--tenant", tenant)
    return stack.start()


@pytest.mark.timeout(300)
def test_without_a_worker_the_last_changes_are_lost_and_no_acknowledged_object_is(stack):
    s3 = stack.boto3("alice")
    plain, old, later = stack.new_bucket("alice"), versioned(s3, stack.new_bucket("alice")), stack.new_bucket("alice")
    for key in ("overwritten", "deleted", "tagged"):
        s3.put_object(Bucket=plain, Key=key, Body=b"old")
    for key in ("marked", "cut"):
        for text in (b"first", b"second"):
            s3.put_object(Bucket=old, Key=key, Body=text)
    s3.put_object(Bucket=later, Key="x", Body=b"null version")
    settle(stack)

    # From here on no worker runs.
    s3.put_object(Bucket=plain, Key="new", Body=b"new", **SMALL)
    s3.put_object(Bucket=plain, Key="overwritten", Body=b"new")
    s3.delete_object(Bucket=plain, Key="deleted")
    s3.put_object_tagging(Bucket=plain, Key="tagged", Tagging=TAGS)
    s3.put_object(Bucket=plain, Key="y" * 900, Body=b"much metadata", Metadata=LARGE)
    parts = in_parts(s3, plain, "parts")
    s3.delete_object(Bucket=old, Key="marked")
    newest = s3.list_object_versions(Bucket=old, Prefix="cut")["Versions"][0]["VersionId"]
    s3.delete_object(Bucket=old, Key="cut", VersionId=newest)
    versioned(s3, later)
    s3.put_object(Bucket=later, Key="x", Body=b"with an id")
    s3.put_bucket_tagging(Bucket=plain, Tagging=TAGS)
    fresh, empty = stack.new_bucket("alice"), stack.new_bucket("alice")
    s3.put_object(Bucket=fresh, Key="only", Body=b"in a new bucket", **SMALL)
    stack.set_policy({"residency": {"allow": ["country:FI", "country:DE"]}}, "--tenant", "bob")
    key = stack.create_key("alice")
    stack.create_tenant("carol")
    before = {name: head(s3, plain, name) for name in ("new", "overwritten", "parts", "y" * 900)}
    fresh_head = head(s3, fresh, "only")
    said = lose_everything(stack)

    s3 = stack.boto3("alice")
    # Acknowledged objects are there, with all that fits beside them.
    assert body(s3, plain, "new") == b"new" and head(s3, plain, "new") == before["new"]
    assert s3.get_object_tagging(Bucket=plain, Key="new")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert body(s3, plain, "overwritten") == b"new" and head(s3, plain, "overwritten") == before["overwritten"]
    assert body(s3, fresh, "only") == b"in a new bucket" and head(s3, fresh, "only") == fresh_head
    # Metadata above 2 KB: some of it is lost.
    assert body(s3, plain, "y" * 900) == b"much metadata"
    kept = head(s3, plain, "y" * 900)
    assert kept["ETag"] == before["y" * 900]["ETag"] and kept["LastModified"] == before["y" * 900]["LastModified"]
    assert kept["Metadata"].items() < LARGE.items() and kept["Metadata"]
    # An object of parts has its bytes and ETag, and no boundaries.
    assert body(s3, plain, "parts") == parts
    assert head(s3, plain, "parts")["ETag"] == before["parts"]["ETag"]
    assert refusal(s3.get_object, Bucket=plain, Key="parts", PartNumber=2) == "InvalidPartNumber"
    # Deletes, markers and tags are lost.
    assert body(s3, plain, "deleted") == b"old"
    assert s3.get_object_tagging(Bucket=plain, Key="tagged")["TagSet"] == []
    assert body(s3, old, "marked") == b"second" and "DeleteMarkers" not in s3.list_object_versions(Bucket=old)
    assert body(s3, old, "cut") == b"second"
    # Settings are lost, but versions with an id say that a bucket was versioned.
    assert s3.get_bucket_versioning(Bucket=later)["Status"] == "Enabled"
    listed = s3.list_object_versions(Bucket=later)["Versions"]
    assert [each["VersionId"] == "null" for each in listed] == [False, True]
    assert refusal(s3.get_bucket_tagging, Bucket=plain) == "NoSuchTagSet"
    assert refusal(s3.head_bucket, Bucket=empty) == "404"
    assert "residency" not in stack.cli("policy", "show", "--tenant", "bob", "--json").stdout
    assert refusal(stack.boto3(credentials=key).list_buckets) == "InvalidAccessKeyId"
    assert "carol" not in stack.s3gw("tenant", "list")
    # A bucket that no document knew keeps its objects where they are, until somebody says otherwise.
    assert f"bucket {fresh} came back without its settings" in said
    assert refusal(s3.put_object, Bucket=fresh, Key="more", Body=b"") == "PlacementPolicyViolation"
    stack.s3gw("policy", "remove", "--bucket", fresh, "--tenant", "alice")
    s3.put_object(Bucket=fresh, Key="more", Body=b"")
    settle(stack)
    assert body(s3, fresh, "only") == b"in a new bucket"


@pytest.mark.timeout(300)
def test_what_a_worker_has_written_down_survives_the_same_loss(stack):
    s3 = stack.boto3("alice")
    plain, old = stack.new_bucket("alice"), versioned(s3, stack.new_bucket("alice"))
    for bucket in (plain, old):
        for key in ("deleted", "tagged"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"old")
    stack.start_worker()
    for bucket in (plain, old):
        s3.delete_object(Bucket=bucket, Key="deleted")
        s3.put_object_tagging(Bucket=bucket, Key="tagged", Tagging=TAGS)
    in_parts(s3, plain, "parts")
    s3.put_object(Bucket=plain, Key="y" * 900, Body=b"much metadata", Metadata=LARGE)
    empty = stack.new_bucket("alice")
    s3.put_bucket_tagging(Bucket=plain, Tagging=TAGS)
    changed = stack.query("SELECT generation FROM configuration")[0][0]
    written = "SELECT MAX(d.generation) FROM documents d JOIN buckets b ON d.name = 'bucket/' || b.id WHERE b.name = ?"

    def is_written_down():
        if stack.query("SELECT 1 FROM records WHERE due_at IS NOT NULL") or stack.query("SELECT 1 FROM jobs"):
            return False
        document, another = (stack.query(written, bucket.encode())[0][0] for bucket in (plain, empty))
        return document and another and document >= changed

    wait_until(is_written_down, "the worker has written all of it down", 60)
    before = dump(stack)
    assert ("alice", empty, "head_bucket") in before
    # A worker has checked them since.
    del before["backends"]
    lose_everything(stack)
    after = dump(stack)
    del after["backends"]
    assert differences(before, after) == {}
