"""Lifecycle rules: how they are set, told and refused, and what answers tell of them."""

import datetime
import json
import urllib.parse

import pytest
from botocore.exceptions import ClientError

from support import clients
from support.lifecycle import EVERYTHING, code, enable_versioning, expire, rule, set_rules


def document(inside):
    return f"<LifecycleConfiguration>{inside}</LifecycleConfiguration>".encode()


def put_raw(raw, bucket, inside):
    return raw.request("PUT", f"/{bucket}?lifecycle", document(inside))


def test_rules_come_back_as_they_were_set(gateway):
    bucket = gateway.new_bucket("alice")
    s3 = gateway.boto3("alice")
    for _ in range(2):
        with pytest.raises(ClientError) as error:
            s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        assert code(error) == ("NoSuchLifecycleConfiguration", 404)
        set_rules(s3, bucket, *EVERYTHING)
        answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        assert answer["Rules"] == EVERYTHING
        assert answer["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
        set_rules(s3, bucket, expire(id="only"))
        assert [each["ID"] for each in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]] == ["only"]
        assert s3.delete_bucket_lifecycle(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert s3.delete_bucket_lifecycle(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_rules_without_an_id_get_one(gateway):
    bucket = gateway.new_bucket("alice")
    s3 = gateway.boto3("alice")
    nameless = [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": days}} for days in (1, 2)]
    set_rules(s3, bucket, *nameless)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    ids = [each.pop("ID") for each in rules]
    assert all(ids) and len(set(ids)) == 2
    assert rules == nameless
    assert [each["ID"] for each in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]] == ids


def test_a_bucket_that_is_not_there_has_no_rules(gateway):
    s3 = gateway.boto3("alice")
    for call in (s3.get_bucket_lifecycle_configuration, s3.delete_bucket_lifecycle):
        with pytest.raises(ClientError) as error:
            call(Bucket="no-such-bucket-here")
        assert code(error) == ("NoSuchBucket", 404)


def test_rules_are_their_buckets_alone(gateway):
    alice, bob = gateway.boto3("alice"), gateway.boto3("bob")
    name = gateway.new_bucket("alice")
    bob.create_bucket(Bucket=name)
    set_rules(alice, name, expire())
    with pytest.raises(ClientError) as error:
        bob.get_bucket_lifecycle_configuration(Bucket=name)
    assert code(error) == ("NoSuchLifecycleConfiguration", 404)


@pytest.mark.parametrize("name", ["Transitions", "NoncurrentVersionTransitions"])
def test_transitions_are_refused(gateway, name):
    bucket = gateway.new_bucket("alice")
    s3 = gateway.boto3("alice")
    set_rules(s3, bucket, expire(id="kept"))
    days = "Days" if name == "Transitions" else "NoncurrentDays"
    with pytest.raises(ClientError) as error:
        set_rules(s3, bucket, expire(days=90, **{name: [{days: 30, "StorageClass": "GLACIER_IR"}]}))
    assert code(error) == ("NotImplemented", 501)
    assert [each["ID"] for each in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]] == ["kept"]


ENABLED = "<Status>Enabled</Status>"
ALL = "<Filter/>"
DAYS = "<Expiration><Days>1</Days></Expiration>"


@pytest.mark.parametrize(
    "inside, wanted",
    [
        ("", "MalformedXML"),
        ("<Rule/>", "MalformedXML"),
        (f"<Rule>{ALL}{DAYS}</Rule>", "MalformedXML"),
        (f"<Rule><Status>enabled</Status>{ALL}{DAYS}</Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{DAYS}</Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}<Prefix>a</Prefix>{DAYS}</Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}</Rule>", "InvalidRequest"),
        (f"<Rule>{ENABLED}{ALL}{DAYS}<Surprise/></Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}{DAYS}{DAYS}</Rule>", "MalformedXML"),
        (f"<Rule><ID>{'i' * 256}</ID>{ENABLED}{ALL}{DAYS}</Rule>", "InvalidArgument"),
        (f"<Rule><ID>i</ID>{ENABLED}{ALL}{DAYS}</Rule>" * 2, "InvalidArgument"),
        (f"<Rule>{ENABLED}{ALL}{DAYS}</Rule>" * 1001, "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}<Expiration/></Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}<Expiration><Days>0</Days></Expiration></Rule>", "InvalidArgument"),
        (f"<Rule>{ENABLED}{ALL}<Expiration><Days>-1</Days></Expiration></Rule>", "InvalidArgument"),
        (f"<Rule>{ENABLED}{ALL}<Expiration><Days>1.5</Days></Expiration></Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}<Expiration><Days>2147483648</Days></Expiration></Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}<Expiration><Date>20310501</Date></Expiration></Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}{ALL}<Expiration><Date>2031-05-01T01:00:00Z</Date></Expiration></Rule>", "InvalidArgument"),
        (
            f"<Rule>{ENABLED}{ALL}<Expiration><Days>1</Days>"
            "<ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration></Rule>",
            "MalformedXML",
        ),
        (
            f"<Rule>{ENABLED}<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>"
            "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>",
            "InvalidRequest",
        ),
        (
            f"<Rule>{ENABLED}<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>"
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload></Rule>",
            "InvalidRequest",
        ),
        (
            f"<Rule>{ENABLED}{ALL}<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload></Rule>",
            "InvalidArgument",
        ),
        (
            f"<Rule>{ENABLED}{ALL}<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions>"
            "</NoncurrentVersionExpiration></Rule>",
            "MalformedXML",
        ),
        (
            f"<Rule>{ENABLED}{ALL}<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
            "<NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>",
            "InvalidArgument",
        ),
        (f"<Rule>{ENABLED}<Filter><Prefix>a</Prefix><Prefix>b</Prefix></Filter>{DAYS}</Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}<Filter><And><Prefix>a</Prefix></And></Filter>{DAYS}</Rule>", "MalformedXML"),
        (f"<Rule>{ENABLED}<Filter><Prefix>{'p' * 1025}</Prefix></Filter>{DAYS}</Rule>", "InvalidRequest"),
        (
            f"<Rule>{ENABLED}<Filter><And>{'<Tag><Key>a</Key><Value>b</Value></Tag>' * 2}</And></Filter>{DAYS}</Rule>",
            "InvalidRequest",
        ),
        (f"<Rule>{ENABLED}<Filter><Tag><Key>a*</Key><Value>b</Value></Tag></Filter>{DAYS}</Rule>", "InvalidTag"),
        (
            f"<Rule>{ENABLED}<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
            f"<ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>{DAYS}</Rule>",
            "InvalidRequest",
        ),
        (f"<Rule>{ENABLED}<Filter><ObjectSizeLessThan>0</ObjectSizeLessThan></Filter>{DAYS}</Rule>", "InvalidRequest"),
    ],
)
def test_a_configuration_that_cannot_be(raw, gateway, inside, wanted):
    bucket = gateway.new_bucket("alice")
    answer = put_raw(raw, bucket, inside)
    assert (answer.status, answer.code) == (400, wanted), answer.body
    assert raw.request("GET", f"/{bucket}?lifecycle").code == "NoSuchLifecycleConfiguration"


def test_a_thousand_rules(raw, gateway):
    bucket = gateway.new_bucket("alice")
    inside = "".join(
        f"<Rule>{ENABLED}<Filter><Prefix>p{number}/</Prefix></Filter>{DAYS}</Rule>" for number in range(1000)
    )
    assert put_raw(raw, bucket, inside).status == 200
    assert len(gateway.boto3("alice").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]) == 1000


def test_a_body_that_is_not_what_its_digest_says(raw, gateway):
    bucket = gateway.new_bucket("alice")
    body = document(f"<Rule>{ENABLED}{ALL}{DAYS}</Rule>")
    wrong = ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")
    answer = raw.request("PUT", f"/{bucket}?lifecycle", body, headers=[wrong])
    assert (answer.status, answer.code) == (400, "BadDigest")
    wrong = ("x-amz-checksum-crc32", "AAAAAA==")
    answer = raw.request("PUT", f"/{bucket}?lifecycle", body, headers=[wrong])
    assert (answer.status, answer.code) == (400, "BadDigest")


def test_what_the_aws_cli_sets_and_gets(gateway):
    bucket = gateway.new_bucket("alice")
    def aws(*words):
        return clients.aws(gateway, "s3api", *words, "--bucket", bucket, tenant="alice")

    wanted = json.loads(json.dumps(EVERYTHING, default=lambda time: time.isoformat()))
    aws("put-bucket-lifecycle-configuration", "--lifecycle-configuration", json.dumps({"Rules": wanted}))
    told = aws("get-bucket-lifecycle-configuration").decode().replace(".000Z", "+00:00")
    assert json.loads(told)["Rules"] == wanted
    aws("delete-bucket-lifecycle")
    with pytest.raises(AssertionError, match="NoSuchLifecycleConfiguration"):
        aws("get-bucket-lifecycle-configuration")


# What answers tell.


def midnight(days):
    """The midnight UTC that ends a lifetime of `days` that begins now."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == now else day + datetime.timedelta(days=1)


def test_answers_tell_when_an_object_goes(gateway):
    bucket = gateway.new_bucket("alice")
    s3 = gateway.boto3("alice")
    put = s3.put_object(Bucket=bucket, Key="logs/a", Body=b"x")
    assert "Expiration" not in put
    id = "späte Regel/1"
    set_rules(s3, bucket, expire(days=9, id=id, prefix="logs/"), expire(days=20, id="later"))
    days = (midnight(9), midnight(9))
    put = s3.put_object(Bucket=bucket, Key="logs/a", Body=b"x")
    days = {days[0], midnight(9)}  # midnight may come in between
    wanted = [f'expiry-date="{day:%a, %d %b %Y} 00:00:00 GMT", rule-id="{urllib.parse.quote(id, "")}"' for day in days]
    assert put["Expiration"] in wanted
    assert s3.get_object(Bucket=bucket, Key="logs/a")["Expiration"] in wanted
    assert s3.head_object(Bucket=bucket, Key="logs/a")["Expiration"] in wanted
    assert s3.copy_object(Bucket=bucket, Key="logs/b", CopySource=f"{bucket}/logs/a")["Expiration"] in wanted
    assert 'rule-id="later"' in s3.put_object(Bucket=bucket, Key="other", Body=b"x")["Expiration"]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="logs/a")


def test_answers_about_older_versions_tell_nothing(gateway):
    bucket = gateway.new_bucket("alice")
    s3 = gateway.boto3("alice")
    enable_versioning(s3, bucket)
    set_rules(s3, bucket, expire(days=9))
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"]
    assert "Expiration" in s3.head_object(Bucket=bucket, Key="k", VersionId=new)
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k", VersionId=old)


def test_answers_tell_when_an_upload_ends(gateway):
    bucket = gateway.new_bucket("alice")
    s3 = gateway.boto3("alice")
    set_rules(s3, bucket, rule(id="abort", prefix="u/", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 3}))
    before = midnight(3)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u/k")
    assert upload["AbortDate"] in (before, midnight(3)) and upload["AbortRuleId"] == "abort"
    parts = s3.list_parts(Bucket=bucket, Key="u/k", UploadId=upload["UploadId"])
    assert (parts["AbortDate"], parts["AbortRuleId"]) == (upload["AbortDate"], "abort")
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=bucket, Key="k")
