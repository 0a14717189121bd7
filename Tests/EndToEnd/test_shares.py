"""Copies between tenants: only out of a bucket that its owner shares, only by copying, and only as long as it is shared."""

import pytest

from support.multipart import PART, begin, complete, refusal


@pytest.fixture
def shared(world):
    """A bucket of alice's that bob may read."""
    bucket = world.new_bucket("alice")
    world.s3gw("bucket", "share", bucket, "--tenant", "alice", "--with", "bob")
    return bucket


@pytest.fixture
def bobs(world):
    return world.new_bucket("bob")


def copy(world, source, target, key="k", **options):
    return world.boto3("bob").copy_object(Bucket=target, Key=key, CopySource=source, **options)


def test_a_shared_bucket_is_a_source_of_copies(world, shared, bobs, payload):
    alice, bob = world.boto3("alice"), world.boto3("bob")
    body = payload(PART + 7)
    alice.put_object(Bucket=shared, Key="a b/ü", Body=body, Metadata={"x": "y"})
    copy(world, f"alice:{shared}/a b/ü", bobs)
    got = bob.get_object(Bucket=bobs, Key="k")
    assert got["Body"].read() == body and got["Metadata"] == {"x": "y"}
    upload = begin(bob, bobs, "parts")
    part = bob.upload_part_copy(
        Bucket=bobs,
        Key="parts",
        UploadId=upload,
        PartNumber=1,
        CopySource={"Bucket": f"alice:{shared}", "Key": "a b/ü"},
        CopySourceRange=f"bytes=7-{PART + 6}",
    )["CopyPartResult"]
    complete(bob, bobs, upload, [{"PartNumber": 1, "ETag": part["ETag"]}], "parts")
    assert bob.get_object(Bucket=bobs, Key="parts")["Body"].read() == body[7:]
    assert refusal(lambda: copy(world, f"alice:{shared}/nothing", bobs)) == (404, "NoSuchKey")
    owner = world.tenants["alice"].canonical_id
    copy(world, f"alice:{shared}/a b/ü", bobs, ExpectedSourceBucketOwner=owner)
    other = world.tenants["bob"].canonical_id
    assert refusal(lambda: copy(world, f"alice:{shared}/a b/ü", bobs, ExpectedSourceBucketOwner=other)) == (
        403,
        "AccessDenied",
    )


def test_versions_of_a_shared_bucket(world, shared, bobs):
    alice = world.boto3("alice")
    alice.put_bucket_versioning(Bucket=shared, VersioningConfiguration={"Status": "Enabled"})
    first = alice.put_object(Bucket=shared, Key="k", Body=b"1")["VersionId"]
    alice.put_object(Bucket=shared, Key="k", Body=b"2")
    answer = copy(world, f"alice:{shared}/k?versionId={first}", bobs)
    assert answer["CopySourceVersionId"] == first
    assert world.boto3("bob").get_object(Bucket=bobs, Key="k")["Body"].read() == b"1"


def test_nothing_else_may_be_done_with_it(world, shared, bobs):
    alice, bob = world.boto3("alice"), world.boto3("bob")
    alice.put_object(Bucket=shared, Key="k", Body=b"secret")
    bob.put_object(Bucket=bobs, Key="k", Body=b"mine")
    for call in (
        lambda: bob.get_object(Bucket=shared, Key="k"),
        lambda: bob.put_object(Bucket=shared, Key="k", Body=b"x"),
        lambda: bob.delete_object(Bucket=shared, Key="k"),
        lambda: bob.list_objects_v2(Bucket=shared),
        lambda: bob.copy_object(Bucket=bobs, Key="copy", CopySource=f"{shared}/k"),
        lambda: bob.copy_object(Bucket=shared, Key="copy", CopySource=f"{bobs}/k"),
    ):
        assert refusal(call) == (404, "NoSuchBucket")
    raw = world.raw("bob")
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert raw.request(method, f"/alice:{shared}/k").status in (400, 403, 404)
    assert alice.get_object(Bucket=shared, Key="k")["Body"].read() == b"secret"
    # It is not shared in the other direction, nor with a third tenant.
    assert refusal(
        lambda: alice.copy_object(Bucket=shared, Key="copy", CopySource=f"bob:{bobs}/k")
    ) == (403, "AccessDenied")


def test_what_is_not_shared_is_denied_whether_it_exists_or_not(world, bobs):
    private = world.new_bucket("alice")
    world.boto3("alice").put_object(Bucket=private, Key="k", Body=b"secret")
    answers = [
        world.raw("bob").request("PUT", f"/{bobs}/copy", headers=[("x-amz-copy-source", source)])
        for source in (
            f"alice:{private}/k",
            f"alice:{private}/nothing",
            f"alice:{private}-not-there/k",
            f"nobody:{private}/k",
            f":{private}/k",
        )
    ]
    assert {(answer.status, answer.code) for answer in answers} == {(403, "AccessDenied")}
    assert len({answer.xml.findtext("Message") for answer in answers}) == 1
    assert not any(answer.xml.find("BucketName") is not None for answer in answers)
    assert "Contents" not in world.boto3("bob").list_objects_v2(Bucket=bobs)


def test_a_share_that_was_taken_back_holds_no_more(world, shared, bobs):
    world.boto3("alice").put_object(Bucket=shared, Key="k", Body=b"1")
    copy(world, f"alice:{shared}/k", bobs)
    show = ("bucket", "show", shared, "--tenant", "alice")
    assert world.s3gw_json(*show)["sharedWith"] == ["bob"]
    assert "bob" in world.s3gw(*show)
    assert world.cli("bucket", "share", shared, "--tenant", "alice", "--with", "bob").returncode == 1
    world.s3gw("bucket", "unshare", shared, "--tenant", "alice", "--with", "bob")
    assert refusal(lambda: copy(world, f"alice:{shared}/k", bobs)) == (403, "AccessDenied")
    assert world.s3gw_json(*show)["sharedWith"] == []
    assert world.cli("bucket", "unshare", shared, "--tenant", "alice", "--with", "bob").returncode == 1
    assert world.cli("bucket", "share", shared, "--tenant", "alice", "--with", "alice").returncode == 2
    assert world.cli("bucket", "share", shared, "--tenant", "alice", "--with", "nobody").returncode == 1
    assert world.boto3("bob").get_object(Bucket=bobs, Key="k")["Body"].read() == b"1", "the copy is bob's own"


def test_the_owner_may_name_itself(world, bobs):
    world.boto3("bob").put_object(Bucket=bobs, Key="a", Body=b"1")
    copy(world, f"bob:{bobs}/a", bobs)
    assert world.boto3("bob").get_object(Bucket=bobs, Key="k")["Body"].read() == b"1"
