"""Every operation that this version does not have says 501 NotImplemented, and changes nothing.

Reads of settings that nobody can set answer what holds, as AWS does about a bucket that nobody has configured.
"""

import pytest

BUCKET_SUBRESOURCES = (
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "website",
)
OBJECT_SUBRESOURCES = (
    "acl",
    "legal-hold",
    "retention",
    "torrent",
    "restore",
    "select&select-type=2",
)


@pytest.fixture(scope="module")
def with_object(gateway, raw):
    bucket = gateway.new_bucket("alice")
    raw.request("PUT", f"/{bucket}/k", b"untouched")
    return bucket


# Codes and elements: Amazon S3 API Reference, the actions GetBucket...
NOT_CONFIGURED = {
    "cors": "NoSuchCORSConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "object-lock": "ObjectLockConfigurationNotFoundError",
    "policy": "NoSuchBucketPolicy",
    "policyStatus": "NoSuchBucketPolicy",
    "replication": "ReplicationConfigurationNotFoundError",
    "website": "NoSuchWebsiteConfiguration",
}
AS_IT_IS = {
    "accelerate": ("AccelerateConfiguration", {}),
    "acl": ("AccessControlPolicy", {"AccessControlList/Grant/Permission": "FULL_CONTROL"}),
    "logging": ("BucketLoggingStatus", {}),
    "notification": ("NotificationConfiguration", {}),
    "ownershipControls": ("OwnershipControls", {"Rule/ObjectOwnership": "BucketOwnerEnforced"}),
    "publicAccessBlock": (
        "PublicAccessBlockConfiguration",
        dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), "true"),
    ),
    "requestPayment": ("RequestPaymentConfiguration", {"Payer": "BucketOwner"}),
}


def gets(*names):
    return {(name, "GET") for name in names}


@pytest.mark.parametrize("name", NOT_CONFIGURED)
def test_a_setting_that_a_bucket_cannot_have_is_not_there(raw, with_object, name):
    answer = raw.request("GET", f"/{with_object}?{name}")
    assert (answer.status, answer.code) == (404, NOT_CONFIGURED[name])
    assert answer.xml.findtext("BucketName") == with_object
    assert raw.request("GET", f"/{with_object}-other?{name}").code == "NoSuchBucket"


@pytest.mark.parametrize("name", AS_IT_IS)
def test_a_setting_that_a_bucket_cannot_change_is_told(raw, with_object, name):
    answer = raw.request("GET", f"/{with_object}?{name}")
    root, texts = AS_IT_IS[name]
    assert answer.status == 200 and f"<{root} xmlns=".encode() in answer.body
    found = {path: answer.xml.findtext(path) for path in texts}
    assert found == texts
    assert raw.request("GET", f"/{with_object}-other?{name}").code == "NoSuchBucket"


def test_an_acl_says_that_all_is_the_owners(gateway, with_object):
    s3 = gateway.boto3("alice")
    owner = {name: text for name, text in s3.list_buckets()["Owner"].items() if name in ("ID", "DisplayName")}
    expected = [{"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]
    of_bucket, of_object = s3.get_bucket_acl(Bucket=with_object), s3.get_object_acl(Bucket=with_object, Key="k")
    assert (of_bucket["Owner"], of_bucket["Grants"]) == (of_object["Owner"], of_object["Grants"]) == (owner, expected)


@pytest.mark.parametrize("name", ["retention", "legal-hold"])
def test_an_object_has_no_lock_in_a_bucket_without_locks(raw, with_object, name):
    answer = raw.request("GET", f"/{with_object}/k?{name}")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert answer.xml.findtext("Message") == "Bucket is missing Object Lock Configuration"
    assert raw.request("GET", f"/{with_object}/none?{name}").code == "NoSuchKey"
    assert raw.request("GET", f"/{with_object}/none?acl").code == "NoSuchKey"


@pytest.mark.parametrize(
    "name, method",
    sorted(
        {(name, method) for name in BUCKET_SUBRESOURCES for method in ("GET", "PUT", "DELETE")}
        - gets(*NOT_CONFIGURED, *AS_IT_IS)
    ),
)
def test_a_bucket_subresource(raw, with_object, name, method):
    answer = raw.request(method, f"/{with_object}?{name}", b"<x/>" if method == "PUT" else b"")
    assert answer.status in (501, 405), answer.body
    assert answer.code == ("NotImplemented" if answer.status == 501 else "MethodNotAllowed")
    if answer.status == 501:
        assert f"?{name} is" in answer.xml.findtext("Message"), "people have to know what it was"
    assert raw.request("GET", f"/{with_object}/k").body == b"untouched"


@pytest.mark.parametrize(
    "name, method",
    sorted(
        {(name, method) for name in OBJECT_SUBRESOURCES for method in ("GET", "PUT", "DELETE", "POST")}
        - gets("acl", "retention", "legal-hold")
    ),
)
def test_an_object_subresource(raw, with_object, name, method):
    answer = raw.request(method, f"/{with_object}/k?{name}", b"<x/>" if method in ("PUT", "POST") else b"")
    assert answer.status in (501, 405), answer.body
    assert answer.code == ("NotImplemented" if answer.status == 501 else "MethodNotAllowed")
    assert raw.request("GET", f"/{with_object}/k").body == b"untouched"


@pytest.mark.parametrize(
    "header",
    [
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-website-redirect-location", "/x"),
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "id=1"),
        ("x-amz-write-offset-bytes", "1"),
    ],
)
def test_a_header_that_asks_for_more_than_there_is(raw, with_object, header):
    answer = raw.request("PUT", f"/{with_object}/asked", b"x", headers=[header])
    assert (answer.status, answer.code) == (501, "NotImplemented"), "silently ignoring it would be a broken promise"
    assert header[0] in answer.xml.findtext("Message")
    assert raw.request("HEAD", f"/{with_object}/asked").status == 404


# What is ignored here would delete, overwrite or hand out something else than was asked for.
@pytest.mark.parametrize(
    "method, query, headers",
    [
        ("DELETE", "", [("x-amz-if-match-size", "3")]),
        ("DELETE", "", [("x-amz-if-match-last-modified-time", "Mon, 23 Nov 2020 02:50:09 GMT")]),
        ("DELETE", "?uploadId=none", [("x-amz-if-match-initiated-time", "Mon, 23 Nov 2020 02:50:09 GMT")]),
        ("GET", "", [("x-amz-server-side-encryption-customer-algorithm", "AES256")]),
        ("HEAD", "", [("x-amz-server-side-encryption-customer-key", "a2V5")]),
        ("PUT", "", [("x-amz-copy-source", "{}/k"), ("x-amz-copy-source-server-side-encryption-customer-key", "a2V5")]),
    ],
)
def test_a_condition_or_a_key_that_would_have_to_be_compared(raw, with_object, method, query, headers):
    headers = [(name, value.format(with_object)) for name, value in headers]
    answer = raw.request(method, f"/{with_object}/k{query}", headers=headers)
    assert answer.status == 501
    if method != "HEAD":
        assert answer.code == "NotImplemented" and headers[-1][0] in answer.xml.findtext("Message")
    assert raw.request("GET", f"/{with_object}/k").body == b"untouched"


@pytest.mark.parametrize(
    "method, target, status",
    [
        ("DELETE", "?uploadId=x", 400),
        ("DELETE", "?versionId=null", 400),
        ("DELETE", "?retention", 400),
        ("PUT", "?partNumber=1&uploadId=x", 400),
        ("DELETE", "?tagging&lifecycle", 400),
        ("GET", "?versions&uploads", 400),
        ("DELETE", "/k?policy", 405),
        ("DELETE", "/k?versions", 405),
        ("PUT", "/k?lifecycle", 405),
        ("PUT", "/k?delete", 405),
        ("DELETE", "/k?tagging&uploadId=x", 400),
        ("PUT", "/k?versionId=null", 400),
    ],
)
def test_a_request_that_lost_its_key_or_names_too_much_is_not_the_plain_one(gateway, raw, method, target, status):
    bucket = gateway.new_bucket("alice")
    if target.startswith("/k"):
        raw.request("PUT", f"/{bucket}/k", b"untouched")
    answer = raw.request(method, f"/{bucket}{target}", b"other" if method == "PUT" else b"")
    assert answer.status == status, answer.body
    # RFC 9110 15.5.6: a 405 says what would do.
    assert (answer.header("Allow") is not None) == (status == 405)
    assert raw.request("HEAD", f"/{bucket}").status == 200, "the bucket is still there"
    if target.startswith("/k"):
        assert raw.request("GET", f"/{bucket}/k").body == b"untouched"


@pytest.mark.parametrize("acl", ["private", "bucket-owner-full-control", "bucket-owner-read"])
def test_an_acl_that_says_what_holds_anyway(raw, with_object, acl):
    assert raw.request("PUT", f"/{with_object}/acl", acl.encode(), headers=[("x-amz-acl", acl)]).status == 200
    assert raw.request("GET", f"/{with_object}/acl").body == acl.encode()


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "PROPFIND"])
def test_a_method_that_s3_does_not_have(raw, with_object, method):
    answer = raw.request(method, f"/{with_object}/k")
    assert answer.status in (403, 405, 501) and answer.code in (
        "MethodNotAllowed",
        "NotImplemented",
        "AccessDenied",
        "BadRequest",
    ), answer.body


def test_a_stranger_is_refused_before_anything_is_said_about_the_operation(raw, with_object):
    answer = raw.request("GET", f"/{with_object}?website", sign=None)
    assert (answer.status, answer.code) == (403, "AccessDenied")
