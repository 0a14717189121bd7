"""Every operation that this version does not have says 501 NotImplemented, and changes nothing."""

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


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("name", BUCKET_SUBRESOURCES)
def test_a_bucket_subresource(raw, with_object, name, method):
    answer = raw.request(method, f"/{with_object}?{name}", b"<x/>" if method == "PUT" else b"")
    assert answer.status in (501, 405), answer.body
    assert answer.code == ("NotImplemented" if answer.status == 501 else "MethodNotAllowed")
    if answer.status == 501:
        assert f"?{name} is" in answer.xml.findtext("Message"), "people have to know what it was"
    assert raw.request("GET", f"/{with_object}/k").body == b"untouched"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("name", OBJECT_SUBRESOURCES)
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
