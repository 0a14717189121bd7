"""Buckets: CreateBucket, HeadBucket, GetBucketLocation, DeleteBucket, ListBuckets."""

import secrets

import pytest
from botocore.exceptions import ClientError


def code_of(call, *arguments, **options):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def new_name():
    return f"b-{secrets.token_hex(8)}"


def test_a_bucket_that_was_created_is_there_and_one_that_was_deleted_is_not(s3):
    name = new_name()
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    s3.head_bucket(Bucket=name)
    assert name in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    s3.delete_bucket(Bucket=name)
    assert code_of(s3.head_bucket, Bucket=name) == ("404", 404)
    assert name not in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    assert code_of(s3.delete_bucket, Bucket=name) == ("NoSuchBucket", 404)


def test_creating_ones_own_bucket_again_says_so(s3, bucket):
    assert code_of(s3.create_bucket, Bucket=bucket) == ("BucketAlreadyOwnedByYou", 409)


def test_two_tenants_own_buckets_of_the_same_name_and_see_only_their_own(gateway, payload):
    alice, bob, name = gateway.boto3("alice"), gateway.boto3("bob"), new_name()
    alice.create_bucket(Bucket=name)
    bob.create_bucket(Bucket=name)
    alice.put_object(Bucket=name, Key="k", Body=b"of alice")
    bob.put_object(Bucket=name, Key="k", Body=b"of bob")
    assert alice.get_object(Bucket=name, Key="k")["Body"].read() == b"of alice"
    assert bob.get_object(Bucket=name, Key="k")["Body"].read() == b"of bob"
    bob.delete_object(Bucket=name, Key="k")
    assert alice.get_object(Bucket=name, Key="k")["Body"].read() == b"of alice"


def test_a_stranger_cannot_tell_another_tenants_bucket_from_one_that_does_not_exist(gateway, s3, bucket):
    s3.put_object(Bucket=bucket, Key="secret", Body=b"x")
    bob = gateway.boto3("bob")
    for name in (bucket, new_name()):
        assert code_of(bob.get_object, Bucket=name, Key="secret") == ("NoSuchBucket", 404)
        assert code_of(bob.list_objects_v2, Bucket=name) == ("NoSuchBucket", 404)
        assert code_of(bob.put_object, Bucket=name, Key="k", Body=b"") == ("NoSuchBucket", 404)
        assert code_of(bob.delete_bucket, Bucket=name) == ("NoSuchBucket", 404)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "-begins",
        "ends-",
        "a..b",
        "a.-b",
        "a-.b",
        "192.168.5.4",
        "xn--prefix",
        "name-s3alias",
        "a b",
    ],
)
def test_a_name_that_s3_does_not_allow_is_refused(raw, name):
    answer = raw.request("PUT", "/" + name.replace(" ", "%20"))
    assert (answer.status, answer.code) == (400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "with.dot", "1digit", "a-b.c-d"])
def test_a_name_at_the_edge_of_the_rules_is_allowed(s3, name):
    s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket=name)
    s3.delete_bucket(Bucket=name)


def test_a_bucket_with_an_object_in_it_cannot_be_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert code_of(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)


def test_a_deleted_and_recreated_bucket_is_empty(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)


def test_the_location_is_what_create_bucket_was_told(gateway, s3):
    name = new_name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "de-de-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "de-de-1"
    s3.put_object(Bucket=name, Key="in-germany", Body=b"hallo")
    placed = [path for path in gateway.stored("de") if "in-germany" in path]
    assert placed and not [path for path in {**gateway.stored("fi"), **gateway.stored("fr")} if "in-germany" in path]


def test_a_list_of_locations_names_the_primary_first(gateway, s3):
    name = new_name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "fr-fr-1,de-de-1"})
    s3.put_object(Bucket=name, Key="in-france-first", Body=b"bonjour")
    assert [path for path in gateway.stored("fr") if "in-france-first" in path]
    assert not [path for path in gateway.stored("fi") if "in-france-first" in path]


def test_an_unknown_location_is_refused_and_makes_no_bucket(s3):
    name = new_name()
    refused = code_of(s3.create_bucket, Bucket=name, CreateBucketConfiguration={"LocationConstraint": "moon-1"})
    assert refused == ("InvalidLocationConstraint", 400)
    assert code_of(s3.head_bucket, Bucket=name) == ("404", 404)


def test_a_create_bucket_body_that_is_no_xml_is_refused(raw):
    for body in (
        b"<CreateBucketConfiguration>",
        b"not xml",
        b"<!DOCTYPE x [<!ENTITY e 'x'>]><CreateBucketConfiguration/>",
        b"<Other/>",
    ):
        answer = raw.request("PUT", f"/{new_name()}", body)
        assert (answer.status, answer.code) == (400, "MalformedXML")


def test_list_buckets_names_the_owner_and_sorts_by_name(gateway):
    gateway.create_tenant("lister")
    client = gateway.boto3("lister")
    names = sorted(new_name() for _ in range(7))
    for name in reversed(names):
        client.create_bucket(Bucket=name)
    answer = client.list_buckets()
    assert [each["Name"] for each in answer["Buckets"]] == names
    assert answer["Owner"]["ID"] == gateway.tenants["lister"].canonical_id
    assert all(each["CreationDate"].year >= 2024 for each in answer["Buckets"])

    # ListBuckets in pages, with a prefix: every bucket once, in order.
    pages = list(client.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Buckets"]) for page in pages] == [3, 3, 1]
    assert [each["Name"] for page in pages for each in page["Buckets"]] == names
    assert [each["Name"] for each in client.list_buckets(Prefix=names[2])["Buckets"]] == [names[2]]


def test_max_buckets_out_of_range_is_refused(raw):
    for value in ("0", "10001", "-1", "x"):
        answer = raw.request("GET", f"/?max-buckets={value}")
        assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_head_bucket_names_the_region(gateway, s3, bucket):
    headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-bucket-region"] == gateway.settings["region"]
