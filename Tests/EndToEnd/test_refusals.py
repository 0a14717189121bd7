"""Requests that are signed wrongly, late, twice or not at all: the code AWS gives, and nothing stored."""

import datetime

import pytest

from support import sigv4
from support.rawclient import add_header, drop_header, set_header
from support.sigv4 import Credentials


def minutes(count):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=count)


@pytest.fixture
def refused(gateway, raw, bucket):
    """A function that sends a PUT, expects a refusal, and checks that no version, file or object came of it."""

    def check(status, codes, tamper=None, **options):
        before = gateway.query("SELECT count(*) FROM versions"), gateway.stored()
        answer = raw.request("PUT", f"/{bucket}/k", b"must not be stored", tamper=tamper, **options)
        assert answer.status == status, answer.body
        assert answer.code in ({codes} if isinstance(codes, str) else codes), answer.body
        assert (gateway.query("SELECT count(*) FROM versions"), gateway.stored()) == before
        assert raw.request("HEAD", f"/{bucket}/k").status == 404
        return answer

    return check


@pytest.mark.parametrize("sign", ["header", "query"])
def test_an_unknown_access_key(refused, sign):
    refused(403, "InvalidAccessKeyId", sign=sign, credentials=Credentials("AKIANOSUCHKEY0000000", "x" * 40))


@pytest.mark.parametrize("sign", ["header", "query"])
def test_a_wrong_secret(gateway, refused, sign):
    known = gateway.credentials("alice").access_key_id
    answer = refused(403, "SignatureDoesNotMatch", sign=sign, credentials=Credentials(known, "x" * 40))
    assert answer.xml.findtext("AWSAccessKeyId") in (known, None)


def test_the_secret_of_another_tenant(gateway, refused):
    mixed = Credentials(gateway.credentials("alice").access_key_id, gateway.credentials("bob").secret_access_key)
    refused(403, "SignatureDoesNotMatch", credentials=mixed)


def test_no_credentials_at_all(refused):
    refused(403, "AccessDenied", sign=None)


@pytest.mark.parametrize("offset", [-16, 16, -60 * 24, 60 * 24])
def test_a_clock_that_is_more_than_15_minutes_off(refused, offset):
    refused(403, "RequestTimeTooSkewed", when=minutes(offset))


@pytest.mark.parametrize("offset", [-14, 14])
def test_a_clock_that_is_less_than_15_minutes_off_is_good_enough(raw, bucket, offset):
    assert raw.request("PUT", f"/{bucket}/k", b"x", when=minutes(offset)).status == 200


def test_a_presigned_url_that_has_expired_or_would_last_too_long(refused):
    refused(403, "AccessDenied", sign="query", when=minutes(-20), expires_seconds=19 * 60)
    refused(400, "AuthorizationQueryParametersError", sign="query", expires_seconds=604_801)


def test_a_wrong_region_is_told_the_right_one(gateway, refused):
    answer = refused(400, "AuthorizationHeaderMalformed", region="eu-nowhere-9")
    assert answer.xml.findtext("Region") == gateway.settings["region"]
    refused(400, "AuthorizationQueryParametersError", region="eu-nowhere-9", sign="query")


def test_a_wrong_service(refused):
    refused(400, "AuthorizationHeaderMalformed", service="ec2")


def test_a_scope_date_that_is_not_the_days(raw, refused):
    def yesterday(request):
        value = next(value for name, value in request.headers if name == "Authorization")
        today = f"{minutes(0):%Y%m%d}"
        set_header("Authorization", value.replace(f"/{today}/", "/20200101/"))(request)

    refused(400, "AuthorizationHeaderMalformed", tamper=yesterday)


@pytest.mark.parametrize(
    "header",
    [
        "x-amz-acl: public-read",
        "x-amz-copy-source: /other/key",
        "x-amz-tagging: a=b",
        "x-amz-meta-evil: 1",
        "x-amz-storage-class: GLACIER",
    ],
)
@pytest.mark.parametrize("sign", ["header", "query"])
def test_an_x_amz_header_that_was_not_signed(refused, header, sign):
    name, _, value = header.partition(": ")
    refused(403, "AccessDenied", sign=sign, tamper=add_header(name, value))


CHANGES_AFTER_SIGNING = {
    "the date": lambda request: set_header("x-amz-date", f"{minutes(1):%Y%m%dT%H%M%SZ}")(request),
    "the hash": set_header("x-amz-content-sha256", sigv4.EMPTY_SHA256),
    "the host": set_header("Host", "s3.localhost"),
    "a metadata value": set_header("x-amz-meta-a", "2"),
    "the content type": set_header("Content-Type", "text/html"),
    "a signed header removed": drop_header("x-amz-meta-a"),
    "a signed header doubled": add_header("x-amz-meta-a", "3"),
    "the key": lambda request: setattr(request, "target", request.target.replace("/k", "/kk")),
    "a query parameter added": lambda request: setattr(request, "target", request.target + "?tagging"),
    "the method": lambda request: setattr(request, "method", "POST"),
}


@pytest.mark.parametrize("change", CHANGES_AFTER_SIGNING)
def test_anything_that_changes_after_signing(refused, change):
    headers = [("x-amz-meta-a", "1"), ("Content-Type", "text/plain")]
    refused(403, "SignatureDoesNotMatch", headers=headers, tamper=CHANGES_AFTER_SIGNING[change])


def test_one_flipped_bit_in_the_signature(refused):
    def flip(request):
        value = next(value for name, value in request.headers if name == "Authorization")
        last = "0" if value[-1] != "0" else "1"
        set_header("Authorization", value[:-1] + last)(request)

    refused(403, "SignatureDoesNotMatch", tamper=flip)


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=AK/20260101/fi-hel-1/s3/aws4_request, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=AK/20260101/fi-hel-1/s3/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 " + "Credential=" * 500,
        "AWS AKIA:c2lnbmF0dXJl",
        "Basic dXNlcjpwYXNz",
        "Bearer token",
        "",
    ],
)
def test_an_authorization_header_that_says_nothing_usable(refused, value):
    codes = {"AuthorizationHeaderMalformed", "InvalidArgument", "InvalidRequest", "AccessDenied"}

    def tamper(request):
        set_header("Authorization", value)(request)

    # The status is the code's own: 403 for no credentials at all, 400 for bad ones.
    try:
        refused(400, codes, tamper=tamper)
    except AssertionError:
        refused(403, {"AccessDenied"}, tamper=tamper)


def test_an_empty_authorization_header_is_none(refused):
    refused(403, "AccessDenied", tamper=set_header("Authorization", ""))


def test_host_must_be_signed(refused):
    refused(403, {"AccessDenied", "SignatureDoesNotMatch"}, signed_names=["x-amz-content-sha256", "x-amz-date"])


@pytest.mark.parametrize(
    "name, value",
    [("x-amz-date", None), ("x-amz-content-sha256", None), ("Content-Type", "text/plain"), ("Range", "bytes=0-1")],
)
def test_a_header_that_may_be_there_once_is_there_twice(refused, name, value):
    def twice(request):
        existing = [other for key, other in request.headers if key == name]
        request.headers.insert(1, (name, value or existing[0]))

    headers = [(name, value)] if value else []
    answer = refused(
        400,
        {"InvalidRequest", "InvalidArgument", "BadRequest", "AuthorizationHeaderMalformed"},
        headers=headers,
        tamper=twice,
    )
    assert answer.xml.findtext("Message")


def test_a_query_parameter_that_is_there_twice(raw, bucket):
    answer = raw.request("GET", f"/{bucket}?list-type=2&prefix=a&prefix=b")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_both_ways_of_signing_at_once(gateway, raw, bucket):
    request = raw.build("GET", f"/{bucket}?list-type=2", sign="query")
    header = raw.build("GET", f"/{bucket}?list-type=2")
    request.headers += [
        (name, value)
        for name, value in header.headers
        if name in ("Authorization", "x-amz-date", "x-amz-content-sha256")
    ]
    answer = raw.exchange(request.bytes())
    assert (answer.status, answer.code) == (400, "InvalidArgument")


class TestPresignedURLs:
    def test_one_that_expired(self, refused):
        refused(403, "AccessDenied", sign="query", when=minutes(-10), expires_seconds=300)

    def test_one_from_the_future(self, refused):
        refused(403, "AccessDenied", sign="query", when=minutes(20))

    def test_one_that_is_hours_old_and_still_valid(self, raw, bucket):
        assert (
            raw.request("PUT", f"/{bucket}/k", b"x", sign="query", when=minutes(-600), expires_seconds=604800).status
            == 200
        )
        assert raw.request("GET", f"/{bucket}/k", sign="query", when=minutes(-600), expires_seconds=604800).body == b"x"

    @pytest.mark.parametrize("seconds", [0, -1, 604801, 10**20])
    def test_one_with_an_expiry_out_of_range(self, refused, seconds):
        refused(400, "AuthorizationQueryParametersError", sign="query", expires_seconds=seconds)

    @pytest.mark.parametrize(
        "name",
        [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
        ],
    )
    def test_one_with_a_part_missing(self, refused, name):
        def without(request):
            path, _, query = request.target.partition("?")
            request.target = path + "?" + "&".join(part for part in query.split("&") if not part.startswith(f"{name}="))

        codes = (
            {"AuthorizationQueryParametersError"}
            if name != "X-Amz-Algorithm"
            else {"AuthorizationQueryParametersError", "AccessDenied"}
        )
        try:
            refused(400, codes, sign="query", tamper=without)
        except AssertionError:
            assert name in ("X-Amz-Algorithm", "X-Amz-Signature")
            refused(403, "AccessDenied", sign="query", tamper=without)

    def test_one_that_was_used_for_another_key_or_method(self, raw, bucket):
        raw.request("PUT", f"/{bucket}/k", b"x")
        url = raw.build("GET", f"/{bucket}/k", sign="query")
        url.target = url.target.replace("/k?", "/other?")
        assert raw.exchange(url.bytes()).code == "SignatureDoesNotMatch"
        url = raw.build("GET", f"/{bucket}/k", sign="query")
        url.method = "DELETE"
        assert raw.exchange(url.bytes(), "DELETE").code == "SignatureDoesNotMatch"
        assert raw.request("GET", f"/{bucket}/k").body == b"x"


@pytest.mark.parametrize("path", [b"/b/\xff", b"/b/\xed\xa0\x80", b"/b/\xc3\xa4", b"/b/%01"])
def test_a_refusal_is_xml_whatever_was_in_the_path(raw, path):
    answer = raw.exchange(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (answer.status, answer.code) in ((400, "InvalidURI"), (403, "AccessDenied"))


def test_a_refusal_is_xml_whatever_was_in_a_parameter_or_header(raw, bucket):
    answer = raw.request("GET", f"/{bucket}?max-keys=%01%EF%BF%BF")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.xml.findtext("ArgumentValue") == "\ufffd\ufffd"
    answer = raw.request("PUT", f"/{bucket}/k", b"x", headers=[("x-amz-storage-class", "\x01\xff")])
    assert (answer.status, answer.code) == (400, "InvalidStorageClass")


@pytest.mark.parametrize("target", ["/{bucket}/a%zz", "/{bucket}/a%", "/{bucket}/a%2", "/{bucket}/%00"])
def test_a_uri_that_cannot_be_decoded(raw, bucket, target):
    answer = raw.request("GET", target.format(bucket=bucket))
    assert answer.status == 400 and answer.body.startswith(b"<?xml"), answer.body


def test_a_body_cut_short_by_the_client_stores_nothing(gateway, raw, bucket, payload):
    before = gateway.query("SELECT count(*) FROM versions")
    request = raw.build("PUT", f"/{bucket}/k", payload(100_000))
    with raw.connect() as connection:
        connection.sendall(request.bytes()[:-50_000])
    assert raw.request("HEAD", f"/{bucket}/k").status == 404
    assert gateway.query("SELECT count(*) FROM versions") == before


def test_a_put_without_a_length_is_411(raw, bucket):
    request = raw.build("PUT", f"/{bucket}/k", b"", content_length=False)
    answer = raw.exchange(request.bytes(), "PUT")
    assert (answer.status, answer.code) == (411, "MissingContentLength")


def test_a_disabled_key_is_refused_at_once_and_its_sibling_still_works(gateway):
    gateway.create_tenant("rotator")
    second = gateway.create_key("rotator")
    first = gateway.credentials("rotator")
    bucket = gateway.new_bucket("rotator")
    assert gateway.raw(credentials=first).request("PUT", f"/{bucket}/k", b"bytes").status == 200
    # Objects are read in the world as a process knew it last: every process must notice that it is gone.
    for path in ("/", f"/{bucket}/k"):
        assert all(gateway.raw(credentials=first).request("GET", path).status == 200 for _ in range(8))
    gateway.s3gw("key", "disable", first.access_key_id)
    for path in (f"/{bucket}/k", "/"):
        for _ in range(8):
            answer = gateway.raw(credentials=first).request("GET", path)
            assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")
            assert gateway.raw(credentials=second).request("GET", path).status == 200


def test_a_bucket_that_is_made_again_has_none_of_what_was_known_of_the_first(gateway):
    gateway.create_tenant("remaker")
    raw = gateway.raw("remaker")
    for round_ in range(3):
        assert raw.request("PUT", "/remade").status == 200
        assert [raw.request("GET", "/remade/k").code for _ in range(4)] == ["NoSuchKey"] * 4
        assert raw.request("PUT", "/remade/k", b"%d" % round_).status == 200
        assert [raw.request("GET", "/remade/k").body for _ in range(8)] == [b"%d" % round_] * 8
        assert raw.request("DELETE", "/remade/k").status == 204
        assert raw.request("DELETE", "/remade").status == 204
        assert [raw.request("GET", "/remade/k").code for _ in range(4)] == ["NoSuchBucket"] * 4
