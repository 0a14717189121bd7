"""Objects: what PutObject is told, HeadObject and GetObject tell again; deletes; keys of every legal kind."""

import datetime
import hashlib
import urllib.parse

import pytest
from botocore.exceptions import ClientError

from support import sigv4

SYSTEM_HEADERS = {
    "Cache-Control": "max-age=60, public",
    "Content-Disposition": 'attachment; filename="a b.txt"',
    "Content-Encoding": "gzip",
    "Content-Language": "fi, de",
    "Content-Type": "application/x-thing; charset=utf-8",
    "Expires": "Wed, 21 Oct 2037 07:28:00 GMT",
}


def put(raw, path, body=b"body", **headers):
    answer = raw.request("PUT", path, body, headers=list(headers.pop("headers", [])))
    assert answer.status == 200, answer.body
    return answer


def test_every_system_header_comes_back_as_it_was_given(raw, bucket):
    put(raw, f"/{bucket}/k", headers=SYSTEM_HEADERS.items())
    for method in ("GET", "HEAD"):
        answer = raw.request(method, f"/{bucket}/k")
        assert {name: answer.header(name) for name in SYSTEM_HEADERS} == SYSTEM_HEADERS


def test_aws_chunked_is_not_kept_as_a_content_encoding(raw, bucket):
    for kept, sent in ((None, []), ("gzip", [("Content-Encoding", "gzip")])):
        raw.request("PUT", f"/{bucket}/k", b"data", payload="chunked", headers=sent)
        answer = raw.request("GET", f"/{bucket}/k")
        assert (answer.body, answer.header("Content-Encoding")) == (b"data", kept)


def test_an_object_without_a_content_type_is_binary_octet_stream(raw, bucket):
    put(raw, f"/{bucket}/k")
    assert raw.request("GET", f"/{bucket}/k").header("Content-Type") == "binary/octet-stream"


def test_user_metadata_comes_back_with_names_in_lower_case(raw, bucket):
    given = [
        ("x-amz-meta-One", "1"),
        ("x-amz-meta-with_underscore", "kept"),
        ("x-amz-meta-empty", ""),
        ("X-Amz-Meta-Text", "a  b"),
    ]
    put(raw, f"/{bucket}/k", headers=given)
    answer = raw.request("HEAD", f"/{bucket}/k")
    assert answer.header("x-amz-meta-one") == "1"
    assert answer.header("x-amz-meta-with_underscore") == "kept"
    assert answer.header("x-amz-meta-empty") == ""
    assert " ".join(answer.header("x-amz-meta-text").split()) == "a b"
    assert answer.header("x-amz-missing-meta") is None


def test_metadata_above_two_kilobytes_is_refused(raw, gateway, bucket):
    before = gateway.stored()
    answer = raw.request("PUT", f"/{bucket}/k", b"x", headers=[("x-amz-meta-a", "v" * 2048)])
    assert (answer.status, answer.code) == (400, "MetadataTooLarge")
    assert gateway.stored() == before
    put(raw, f"/{bucket}/k", headers=[("x-amz-meta-a", "v" * 2047)])


@pytest.mark.parametrize("name", ["x-amz-meta-a", "Cache-Control", "Content-Type"])
@pytest.mark.parametrize("value", ["\x04", "h\x04w", "a\x7fb"])
def test_a_header_that_no_answer_could_repeat_is_refused(raw, gateway, bucket, name, value):
    before = gateway.stored()
    for path in (f"/{bucket}/k", f"/{bucket}/k?uploads"):
        answer = raw.request("POST" if path.endswith("uploads") else "PUT", path, headers=[(name, value)])
        assert (answer.status, answer.code) == (400, "InvalidArgument"), answer.body
        assert answer.xml.findtext("ArgumentName") == name.lower()
    assert gateway.stored() == before
    put(raw, f"/{bucket}/k", headers=[(name, "a\tb")])


def test_an_overwrite_replaces_bytes_headers_and_metadata_together(raw, bucket):
    put(raw, f"/{bucket}/k", b"first", headers=[("x-amz-meta-only", "first"), ("Cache-Control", "no-store")])
    put(raw, f"/{bucket}/k", b"second, longer")
    answer = raw.request("GET", f"/{bucket}/k")
    assert answer.body == b"second, longer"
    assert answer.header("x-amz-meta-only") is None and answer.header("Cache-Control") is None


def test_etag_last_modified_and_length_agree_between_put_get_head_and_list(raw, s3, bucket):
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    answer = put(raw, f"/{bucket}/k", b"some bytes")
    etag = f'"{hashlib.md5(b"some bytes").hexdigest()}"'
    assert answer.header("ETag") == etag and answer.body == b""
    head, got = raw.request("HEAD", f"/{bucket}/k"), raw.request("GET", f"/{bucket}/k")
    entry = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    modified = datetime.datetime.strptime(got.header("Last-Modified"), "%a, %d %b %Y %H:%M:%S GMT").replace(
        tzinfo=datetime.timezone.utc
    )
    assert head.header("Last-Modified") == got.header("Last-Modified")
    assert before <= modified <= datetime.datetime.now(datetime.timezone.utc)
    assert entry["LastModified"].replace(microsecond=0) == modified
    assert head.header("ETag") == got.header("ETag") == entry["ETag"] == etag
    assert head.header("Content-Length") == got.header("Content-Length") == "10" and entry["Size"] == 10
    assert head.body == b"" and got.header("Accept-Ranges") == "bytes"


def test_response_overrides_change_this_answer_only(s3, raw, bucket):
    put(raw, f"/{bucket}/k", headers=SYSTEM_HEADERS.items())
    overrides = {
        "ResponseCacheControl": "no-cache",
        "ResponseContentDisposition": 'inline; filename="x"',
        "ResponseContentEncoding": "identity",
        "ResponseContentLanguage": "en",
        "ResponseContentType": "text/plain",
        "ResponseExpires": datetime.datetime(2030, 1, 1),
    }
    headers = s3.get_object(Bucket=bucket, Key="k", **overrides)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["cache-control"] == "no-cache" and headers["content-disposition"] == 'inline; filename="x"'
    assert headers["content-encoding"] == "identity" and headers["content-language"] == "en"
    assert headers["content-type"] == "text/plain" and headers["expires"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert raw.request("GET", f"/{bucket}/k").header("Content-Type") == SYSTEM_HEADERS["Content-Type"]


def test_a_response_override_cannot_smuggle_a_header(raw, bucket):
    put(raw, f"/{bucket}/k")
    answer = raw.request(
        "GET", f"/{bucket}/k?response-content-type=" + urllib.parse.quote("a\r\nSet-Cookie: x=1", safe="")
    )
    assert answer.header("Set-Cookie") is None
    if answer.status == 200:
        assert answer.header("Content-Type") == "a%0D%0ASet-Cookie: x=1"


def test_the_storage_class_is_echoed_and_an_unknown_one_refused(raw, s3, bucket):
    put(raw, f"/{bucket}/standard")
    put(raw, f"/{bucket}/rare", headers=[("x-amz-storage-class", "STANDARD_IA")])
    assert raw.request("HEAD", f"/{bucket}/standard").header("x-amz-storage-class") is None
    assert raw.request("HEAD", f"/{bucket}/rare").header("x-amz-storage-class") == "STANDARD_IA"
    classes = {entry["Key"]: entry["StorageClass"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert classes == {"standard": "STANDARD", "rare": "STANDARD_IA"}
    answer = raw.request("PUT", f"/{bucket}/odd", b"", headers=[("x-amz-storage-class", "BASEMENT")])
    assert (answer.status, answer.code) == (400, "InvalidStorageClass")


def test_a_missing_key_is_404_for_get_and_head(raw, bucket):
    answer = raw.request("GET", f"/{bucket}/none")
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    assert answer.xml.findtext("Key") == "none"
    head = raw.request("HEAD", f"/{bucket}/none")
    assert (head.status, head.body) == (404, b"")


def test_delete_is_204_also_for_a_key_that_never_was(raw, bucket):
    put(raw, f"/{bucket}/k")
    for _ in range(2):
        answer = raw.request("DELETE", f"/{bucket}/k")
        assert (answer.status, answer.body) == (204, b"")
    assert raw.request("GET", f"/{bucket}/k").status == 404


KEYS = [
    b"a",
    b"/leading",
    b"//double//slash//",
    b"trailing/",
    b"space space",
    b"plus+plus",
    b"percent%25%2F",
    b"?question&and=equals",
    b"#hash",
    b"quote\"'<>",
    "ünï-ß-日本-🎉".encode(),
    "e\u0301".encode(),
    "\u00e9".encode(),
    b"*!'();:@$,[]",
    b"~tilde",
    b"x" * 1024,
    b"y" * 300 + b"/" + b"z" * 300,
    b"dir",
    b"dir/inside",
    b"dir/",
    b"back\\slash",
    b"tab\there",
    b"con.",
    b".hidden",
    b"name.s3gw-tmp",
]


def test_keys_of_every_legal_kind_are_kept_apart_and_come_back_in_byte_order(raw, bucket):
    for key in KEYS:
        answer = raw.request("PUT", f"/{bucket}/{sigv4.encode(key, safe='/')}", b"of " + key)
        assert answer.status == 200, (key, answer.body)
    for key in KEYS:
        answer = raw.request("GET", f"/{bucket}/{sigv4.encode(key, safe='/')}")
        assert (answer.status, answer.body) == (200, b"of " + key), key
    listing = raw.request("GET", f"/{bucket}?list-type=2&encoding-type=url").xml
    listed = [
        urllib.parse.unquote_to_bytes(each.replace("+", " "))
        for each in (entry.findtext("Key") for entry in listing.iter("Contents"))
    ]
    assert listed == sorted(KEYS)


@pytest.mark.parametrize("key", ["a/./b", "a/../b", "./a", "x/.", "x/.."])
def test_a_key_with_dot_segments_is_itself_and_nothing_else(raw, bucket, key):
    assert raw.request("PUT", f"/{bucket}/{key}", b"dots").status == 200
    assert raw.request("GET", f"/{bucket}/{key}").body == b"dots"
    listing = raw.request("GET", f"/{bucket}?list-type=2").xml
    assert [entry.findtext("Key") for entry in listing.iter("Contents")] == [key]


def test_a_key_above_1024_bytes_is_refused(raw, bucket):
    answer = raw.request("PUT", f"/{bucket}/{'k' * 1025}", b"")
    assert (answer.status, answer.code) == (400, "KeyTooLongError")


@pytest.mark.parametrize("path", ["%ff%fe", "a%80", "ed%ed%a0%80"])
def test_a_key_that_is_not_utf8_is_refused(raw, bucket, path):
    answer = raw.request("PUT", f"/{bucket}/{path}", b"")
    assert (answer.status, answer.code) == (400, "InvalidURI")


def test_delete_objects_deletes_what_is_named_and_reports_each(s3, bucket):
    for key in ("a", "b & <c>", "d"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b & <c>"}, {"Key": "never was"}]}
    )
    assert sorted(each["Key"] for each in answer["Deleted"]) == ["a", "b & <c>", "never was"] and "Errors" not in answer
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["d"]


def test_quiet_delete_objects_reports_only_what_failed(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": [{"Key": "a"}]})
    assert "Deleted" not in answer and "Errors" not in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_delete_objects_needs_a_whole_valid_document_and_a_digest(raw, s3, bucket):
    from support.checksums import checksum, content_md5

    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    good = b"<Delete><Object><Key>a</Key></Object></Delete>"
    twice = b"<Delete><Object><Key>b</Key><Key>a</Key></Object></Delete>"
    unknown = b"<Delete><Dry/><Object><Key>a</Key></Object></Delete>"
    nameless = b"<Delete><Object><Key></Key></Object><Object><Key>a</Key></Object></Delete>"
    too_many = b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>"
    cases = [
        (good, [], "InvalidRequest"),
        (good, [("Content-MD5", content_md5(b"other"))], "BadDigest"),
        (good[:-3], [("Content-MD5", content_md5(good[:-3]))], "MalformedXML"),
        (b"<Delete></Delete>", [("Content-MD5", content_md5(b"<Delete></Delete>"))], "MalformedXML"),
        (too_many, [("Content-MD5", content_md5(too_many))], "MalformedXML"),
        (twice, [("Content-MD5", content_md5(twice))], "MalformedXML"),
        (unknown, [("Content-MD5", content_md5(unknown))], "MalformedXML"),
        (nameless, [("Content-MD5", content_md5(nameless))], "UserKeyMustBeSpecified"),
    ]
    for body, headers, code in cases:
        answer = raw.request("POST", f"/{bucket}?delete", body, headers=headers)
        assert (answer.status, answer.code) == (400, code), body[:60]
        assert raw.request("HEAD", f"/{bucket}/a").status == 200
    answer = raw.request(
        "POST", f"/{bucket}?delete", good, headers=[("x-amz-checksum-sha256", checksum("sha256", good))]
    )
    assert answer.status == 200 and answer.xml.findtext("Deleted/Key") == "a"


def test_get_and_head_of_another_version_than_null_is_no_such_version(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", VersionId="3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def test_every_answer_carries_a_request_id_of_its_own(raw, bucket):
    put(raw, f"/{bucket}/k")
    seen = {
        raw.request(method, target).header("x-amz-request-id")
        for method, target in (("GET", f"/{bucket}/k"), ("GET", f"/{bucket}/no"), ("HEAD", f"/{bucket}"), ("GET", "/"))
    }
    assert None not in seen and len(seen) == 4


def test_xml_answers_are_in_the_s3_namespace(raw, bucket):
    for target in ("/", f"/{bucket}?list-type=2", f"/{bucket}?location"):
        answer = raw.request("GET", target)
        assert b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' in answer.body and answer.body.startswith(b"<?xml")
        assert answer.header("Content-Type") == "application/xml"


def test_an_error_document_names_the_resource_and_the_request(raw, bucket):
    answer = raw.request("GET", f"/{bucket}/no%20such")
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    assert answer.xml.findtext("Resource") == f"/{bucket}/no%20such"
    assert answer.xml.findtext("RequestId") == answer.header("x-amz-request-id")
    assert answer.xml.findtext("HostId") == answer.header("x-amz-id-2")
