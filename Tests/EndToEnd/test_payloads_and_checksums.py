"""Every way a body can be signed and checked: what is right is stored and told again, what is wrong stores nothing."""

import pytest

from support.checksums import ALGORITHMS, checksum, content_md5
from support.multipart import begin, complete, refusal, send
from support.rawclient import drop_header, set_header

SIZES = (0, 1, 65535, 65536, 65537, 300_000)
MODES = ("hex", "unsigned", "chunked", "chunked-trailer", "unsigned-trailer")


class Unchanged:
    """Asserts that a refused request left no object, no row and no file behind."""

    def __init__(self, gateway, raw, bucket, key="k"):
        self.gateway, self.raw, self.path = gateway, raw, f"/{bucket}/{key}"
        self.before = self.state()

    def state(self):
        return self.raw.request("GET", self.path).status, self.gateway.query("SELECT count(*) FROM versions")

    def check(self):
        assert self.state() == self.before
        marker = self.path.rpartition("/")[2]
        bucket = self.path.split("/")[1]
        assert self.raw.request("GET", f"/{bucket}?list-type=2").xml.findtext("KeyCount") == "0", marker


@pytest.fixture
def unchanged(gateway, raw, bucket):
    return Unchanged(gateway, raw, bucket)


def trailer_for(mode, body, algorithm="crc32"):
    return [(f"x-amz-checksum-{algorithm}", checksum(algorithm, body))] if mode.endswith("trailer") else []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_every_payload_mode_stores_exactly_the_bytes(raw, bucket, payload, mode, size):
    body = payload(size)
    answer = raw.request("PUT", f"/{bucket}/k", body, payload=mode, trailer=trailer_for(mode, body))
    assert answer.status == 200, answer.body
    got = raw.request("GET", f"/{bucket}/k")
    assert (got.status, got.body) == (200, body)


@pytest.mark.parametrize("mode", MODES)
def test_every_payload_mode_over_tls(gateway, bucket, payload, mode):
    body = payload(100_000)
    client = gateway.raw("alice", tls=True)
    assert client.request("PUT", f"/{bucket}/k", body, payload=mode, trailer=trailer_for(mode, body)).status == 200
    assert client.request("GET", f"/{bucket}/k").body == body


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_in_a_header_is_verified_stored_and_returned_on_request(raw, bucket, payload, algorithm):
    body, name = payload(70_000), f"x-amz-checksum-{algorithm}"
    value = checksum(algorithm, body)
    put = raw.request("PUT", f"/{bucket}/k", body, headers=[(name, value)])
    assert (put.status, put.header(name)) == (200, value)
    for method in ("GET", "HEAD"):
        asked = raw.request(method, f"/{bucket}/k", headers=[("x-amz-checksum-mode", "ENABLED")])
        assert asked.header(name) == value
        assert asked.header("x-amz-checksum-type") == "FULL_OBJECT"
        assert raw.request(method, f"/{bucket}/k").header(name) is None
    part = raw.request("GET", f"/{bucket}/k", headers=[("x-amz-checksum-mode", "ENABLED"), ("Range", "bytes=0-9")])
    assert part.header(name) is None, "a checksum of the whole object beside a part of it fails every SDK's check"
    other = raw.request("GET", f"/{bucket}/k", headers=[("x-amz-checksum-mode", "DISABLED")])
    assert (other.status, other.code) == (400, "InvalidRequest")


@pytest.mark.parametrize("size", [0, 5, 1 << 20, (1 << 20) + 1])
@pytest.mark.parametrize("mode", ["hex", "unsigned", "chunked"])
def test_an_upload_without_a_checksum_gets_a_crc64nvme(raw, bucket, payload, mode, size):
    body = payload(size)
    value = checksum("crc64nvme", body)
    put = raw.request("PUT", f"/{bucket}/k", body, payload=mode)
    assert (put.header("x-amz-checksum-crc64nvme"), put.header("x-amz-checksum-type")) == (value, "FULL_OBJECT")
    for method in ("GET", "HEAD"):
        asked = raw.request(method, f"/{bucket}/k", headers=[("x-amz-checksum-mode", "ENABLED")])
        assert (asked.header("x-amz-checksum-crc64nvme"), asked.header("x-amz-checksum-type")) == (value, "FULL_OBJECT")
        assert raw.request(method, f"/{bucket}/k").header("x-amz-checksum-crc64nvme") is None
    entry = raw.request("GET", f"/{bucket}?list-type=2").xml.find("Contents")
    assert (entry.findtext("ChecksumAlgorithm"), entry.findtext("ChecksumType")) == ("CRC64NVME", "FULL_OBJECT")
    copy = raw.request("PUT", f"/{bucket}/copy", headers=[("x-amz-copy-source", f"{bucket}/k")])
    assert copy.xml.findtext("ChecksumCRC64NVME") == value


@pytest.mark.parametrize("mode", ["chunked-trailer", "unsigned-trailer"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_in_a_trailer_is_verified_stored_and_returned_on_request(raw, bucket, payload, algorithm, mode):
    body, name = payload(70_000), f"x-amz-checksum-{algorithm}"
    value = checksum(algorithm, body)
    put = raw.request("PUT", f"/{bucket}/k", body, payload=mode, trailer=[(name, value)])
    assert (put.status, put.header(name)) == (200, value)
    asked = raw.request("HEAD", f"/{bucket}/k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert asked.header(name) == value


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_checksum_in_a_header_stores_nothing(raw, bucket, unchanged, algorithm):
    answer = raw.request(
        "PUT", f"/{bucket}/k", b"body", headers=[(f"x-amz-checksum-{algorithm}", checksum(algorithm, b"other"))]
    )
    assert (answer.status, answer.code) == (400, "BadDigest")
    unchanged.check()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_of_the_wrong_length_stores_nothing(raw, bucket, unchanged, algorithm):
    for value in ("AAAA", "not base64!", checksum(algorithm, b"body")[:-1], ""):
        answer = raw.request("PUT", f"/{bucket}/k", b"body", headers=[(f"x-amz-checksum-{algorithm}", value)])
        assert (answer.status, answer.code) == (400, "InvalidRequest"), value
    unchanged.check()


@pytest.mark.parametrize("mode", ["chunked-trailer", "unsigned-trailer"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_checksum_in_a_trailer_stores_nothing(raw, bucket, unchanged, algorithm, mode):
    trailer = [(f"x-amz-checksum-{algorithm}", checksum(algorithm, b"other"))]
    answer = raw.request("PUT", f"/{bucket}/k", b"body" * 50_000, payload=mode, trailer=trailer)
    assert (answer.status, answer.code) == (400, "BadDigest")
    unchanged.check()


@pytest.mark.parametrize(
    "headers",
    [
        [("x-amz-checksum-sha512", "AAAA")],
        [("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-xxhash64", "AAAA")],
        [("x-amz-checksum-type", "COMPOSITE")],
    ],
)
def test_what_a_completion_claims_of_the_object_is_not_ignored(s3, raw, bucket, headers):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    document = f"<Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{document}</CompleteMultipartUpload>".encode()
    answer = raw.request("POST", f"/{bucket}/k?uploadId={upload}", body, headers=headers)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert raw.request("HEAD", f"/{bucket}/k").status == 404
    assert raw.request("POST", f"/{bucket}/k?uploadId={upload}", body).status == 200, "the upload goes on"


def test_a_part_is_not_completed_under_another_checksum(s3, bucket):
    upload = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    (part,) = send(s3, bucket, upload, [b"x"], ChecksumAlgorithm="SHA256")
    other = {"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": checksum("crc32", b"x")}
    for wrong in (part | {"ChecksumSHA256": checksum("sha256", b"y")}, other):
        assert refusal(lambda: complete(s3, bucket, upload, [wrong])) == (400, "InvalidPart")
    complete(s3, bucket, upload, [part])


def test_content_md5_is_verified(raw, bucket, unchanged):
    wrong = raw.request("PUT", f"/{bucket}/k", b"body", headers=[("Content-MD5", content_md5(b"other"))])
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    for value in ("AAAA", "not base64", ""):
        answer = raw.request("PUT", f"/{bucket}/k", b"body", headers=[("Content-MD5", value)])
        assert (answer.status, answer.code) == (400, "InvalidDigest"), value
    unchanged.check()
    assert raw.request("PUT", f"/{bucket}/k", b"body", headers=[("Content-MD5", content_md5(b"body"))]).status == 200


def test_two_checksum_algorithms_in_one_request_are_refused(raw, bucket, unchanged):
    headers = [(f"x-amz-checksum-{algorithm}", checksum(algorithm, b"body")) for algorithm in ("crc32", "sha256")]
    answer = raw.request("PUT", f"/{bucket}/k", b"body", headers=headers)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    unchanged.check()


def test_a_hash_that_is_not_the_bodys_stores_nothing(raw, bucket, unchanged):
    answer = raw.request("PUT", f"/{bucket}/k", b"body", payload_hash="0" * 64)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    unchanged.check()


@pytest.mark.parametrize("value", ["STREAMING-SOMETHING-ELSE", "unsigned-payload", "0" * 63, "G" * 64, ""])
def test_an_unknown_payload_mode_stores_nothing(raw, bucket, unchanged, value):
    answer = raw.request("PUT", f"/{bucket}/k", b"body", tamper=None, payload_hash=value or " ")
    assert answer.status in (400, 403), answer.body
    assert answer.code in ("InvalidRequest", "InvalidArgument", "XAmzContentSHA256Mismatch", "SignatureDoesNotMatch")
    unchanged.check()


def flip(part, at=-10):
    changed = bytearray(part)
    changed[at] ^= 1
    return bytes(changed)


def change_part(index, change):
    def tamper(request):
        request.parts[index] = change(request.parts[index])
        # The length on the wire stays true: only the coding inside is wrong.
        set_header("Content-Length", str(sum(map(len, request.parts))))(request)

    return tamper


CORRUPTIONS = {
    "a flipped byte in the first chunk": (0, lambda part: flip(part, 200), {"SignatureDoesNotMatch"}),
    "a flipped byte in the last data chunk": (-2, lambda part: flip(part), {"SignatureDoesNotMatch"}),
    "another chunk's signature": (
        1,
        lambda part: part.replace(part[part.index(b"=") + 1 : part.index(b"\r")], b"0" * 64),
        {"SignatureDoesNotMatch"},
    ),
    "no chunk signature": (
        1,
        lambda part: part.replace(part[part.index(b";") : part.index(b"\r")], b"", 1),
        {"SignatureDoesNotMatch", "InvalidRequest", "IncompleteBody"},
    ),
    "no final chunk": (-1, lambda part: b"", {"IncompleteBody"}),
    "a final chunk with a wrong signature": (-1, lambda part: flip(part, 30), {"SignatureDoesNotMatch"}),
    "bytes behind the final chunk": (-1, lambda part: part + b"more", {"InvalidRequest", "IncompleteBody"}),
    "a chunk size that is no number": (0, lambda part: b"xyz" + part, {"InvalidRequest", "IncompleteBody"}),
    "a chunk cut short": (1, lambda part: part[:-100], {"InvalidRequest", "IncompleteBody", "SignatureDoesNotMatch"}),
    "an endless size line": (0, lambda part: b"0" * 5000 + part, {"InvalidRequest", "IncompleteBody"}),
    "a negative size": (0, lambda part: b"-" + part, {"InvalidRequest", "IncompleteBody"}),
    "two chunks swapped": (None, None, {"SignatureDoesNotMatch"}),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupt_chunked_body_stores_nothing(raw, bucket, payload, unchanged, name):
    index, change, codes = CORRUPTIONS[name]

    def swap(request):
        request.parts[0], request.parts[1] = request.parts[1], request.parts[0]

    tamper = change_part(index, change) if change else swap
    answer = raw.request("PUT", f"/{bucket}/k", payload(200_000), payload="chunked", tamper=tamper)
    assert answer.status in (400, 403) and answer.code in codes, answer.body
    unchanged.check()


TRAILER_CORRUPTIONS = {
    "no trailer at all": ("chunked-trailer", lambda part: b"\r\n"),
    "no trailer signature": ("chunked-trailer", lambda part: part[: part.index(b"x-amz-trailer-signature")] + b"\r\n"),
    "a wrong trailer signature": ("chunked-trailer", lambda part: flip(part, -8)),
    "another trailer name": ("unsigned-trailer", lambda part: part.replace(b"crc32", b"crc32c")),
    "bytes behind the trailer": ("unsigned-trailer", lambda part: part + b"more"),
    "a trailer cut short": ("unsigned-trailer", lambda part: part[:-8]),
    "a trailer twice": ("unsigned-trailer", lambda part: part[:-2] + part),
}


@pytest.mark.parametrize("name", TRAILER_CORRUPTIONS)
def test_a_corrupt_trailer_stores_nothing(raw, bucket, payload, unchanged, name):
    mode, change = TRAILER_CORRUPTIONS[name]
    body = payload(100_000)
    answer = raw.request(
        "PUT", f"/{bucket}/k", body, payload=mode, trailer=trailer_for(mode, body), tamper=change_part(-1, change)
    )
    assert answer.status in (400, 403), answer.body
    assert answer.code in {
        "SignatureDoesNotMatch",
        "InvalidRequest",
        "IncompleteBody",
        "MalformedTrailerError",
        "BadDigest",
    }
    unchanged.check()


def test_the_declared_decoded_length_must_be_true(raw, bucket, payload, unchanged):
    for mode in ("chunked", "unsigned-trailer"):
        body = payload(1000)
        request = raw.build("PUT", f"/{bucket}/k", body, payload=mode, trailer=trailer_for(mode, body))
        longer = raw.build("PUT", f"/{bucket}/k", body + b"x", payload=mode, trailer=trailer_for(mode, body + b"x"))
        longer.parts = request.parts
        set_header("Content-Length", str(sum(map(len, longer.parts))))(longer)
        answer = raw.exchange(longer.bytes(), "PUT")
        assert answer.status in (400, 403), answer.body
        assert answer.code in {"IncompleteBody", "SignatureDoesNotMatch"}
    unchanged.check()


def test_a_chunked_body_without_a_decoded_length_is_refused(raw, bucket, unchanged):
    # The header is signed only when it is there; left out from the start it is missing, not unsigned.
    body = b"x" * 100
    request = raw.build("PUT", f"/{bucket}/k", body, payload_hash="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    drop_header("x-amz-decoded-content-length")(request)
    answer = raw.exchange(request.bytes(), "PUT")
    assert (answer.status, answer.code) == (411, "MissingContentLength")
    unchanged.check()


@pytest.mark.parametrize("sign", ["query", None])
@pytest.mark.parametrize("mode", ["chunked", "chunked-trailer", "unsigned-trailer"])
def test_a_streaming_mode_without_a_signed_header_stores_nothing(raw, bucket, unchanged, mode, sign):
    declared = {
        "chunked": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "chunked-trailer": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "unsigned-trailer": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
    body = b"body"
    answer = raw.request(
        "PUT",
        f"/{bucket}/k",
        body,
        payload=mode,
        sign=sign,
        trailer=trailer_for(mode, body),
        tamper=lambda request: request.headers.append(("x-amz-content-sha256", declared[mode])),
    )
    assert answer.status in (400, 403), answer.body
    unchanged.check()


def test_a_transfer_encoding_chunked_upload_of_a_chunked_body_is_decoded_twice(raw, bucket, payload):
    body = payload(50_000)
    request = raw.build(
        "PUT",
        f"/{bucket}/k",
        body,
        payload="unsigned-trailer",
        trailer=trailer_for("unsigned-trailer", body),
        content_length=False,
    )
    coded = b"".join(request.parts)
    request.headers.append(("Transfer-Encoding", "chunked"))
    request.parts = [b"%x\r\n%s\r\n" % (len(coded), coded), b"0\r\n\r\n"]
    assert raw.exchange(request.bytes(), "PUT").status == 200
    assert raw.request("GET", f"/{bucket}/k").body == body


def test_expect_100_continue_is_answered_before_the_body_is_sent(gateway, raw, bucket, payload):
    body = payload(200_000)
    request = raw.build("PUT", f"/{bucket}/k", body)
    request.headers.append(("Expect", "100-continue"))
    head, _, rest = request.bytes().partition(b"\r\n\r\n")
    with raw.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(rest)
        assert raw.read(connection).status == 200
    assert raw.request("GET", f"/{bucket}/k").body == body
