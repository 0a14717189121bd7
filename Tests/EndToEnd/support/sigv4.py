"""Signature Version 4 as a client does it, written from the S3 API reference ("Authenticating Requests").

Everything a client could do wrong can be done wrong here: the caller chooses the clock, the region, which headers are
signed and what the payload hash says.
"""

import datetime
import hashlib
import hmac
import urllib.parse
from dataclasses import dataclass

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@dataclass(frozen=True)
class Credentials:
    access_key_id: str
    secret_access_key: str


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


@dataclass
class Signer:
    """One request's signing scope: who signs, when, and for which region."""

    credentials: Credentials
    region: str
    when: datetime.datetime = None
    service: str = "s3"

    def __post_init__(self):
        self.when = self.when or datetime.datetime.now(datetime.timezone.utc)

    @property
    def timestamp(self):
        return self.when.strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self):
        return f"{self.when:%Y%m%d}/{self.region}/{self.service}/aws4_request"

    def sign(self, text):
        key = ("AWS4" + self.credentials.secret_access_key).encode()
        for part in self.scope.split("/"):
            key = _hmac(key, part)
        return _hmac(key, text).hex()

    def string_to_sign(self, canonical_request):
        digest = hashlib.sha256(canonical_request.encode("latin-1")).hexdigest()
        return f"AWS4-HMAC-SHA256\n{self.timestamp}\n{self.scope}\n{digest}"

    def signature(self, method, target, headers, signed_names, payload_hash):
        return self.sign(self.string_to_sign(canonical_request(method, target, headers, signed_names, payload_hash)))


def encode(data, safe=""):
    """AWS's UriEncode: every byte but the unreserved ones as %XX in upper case."""
    return urllib.parse.quote(data, safe=safe + "-_.~")


def query_pairs(query):
    """Returns the decoded (name, value) pairs of a raw query, as bytes, in the order of the request."""
    pairs = []
    for item in query.split("&"):
        if item:
            name, _, value = item.partition("=")
            pairs.append((urllib.parse.unquote_to_bytes(name), urllib.parse.unquote_to_bytes(value)))
    return pairs


def canonical_request(method, target, headers, signed_names, payload_hash):
    path, _, query = target.partition("?")
    canonical_path = encode(urllib.parse.unquote_to_bytes(path), safe="/")
    pairs = sorted((encode(name), encode(value)) for name, value in query_pairs(query))
    canonical_query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = []
    for name in signed_names:
        values = [" ".join(value.split()) for other, value in headers if other.lower() == name]
        lines.append(f"{name}:{','.join(values)}\n")
    return "\n".join((method, canonical_path, canonical_query, "".join(lines), ";".join(signed_names), payload_hash))


def authorization(signer, method, target, headers, payload_hash, signed_names=None):
    """Returns (value of the Authorization header, signature)."""
    names = signed_names or sorted({name.lower() for name, _ in headers})
    signature = signer.signature(method, target, headers, names, payload_hash)
    value = (
        f"AWS4-HMAC-SHA256 Credential={signer.credentials.access_key_id}/{signer.scope},"
        f"SignedHeaders={';'.join(names)},Signature={signature}"
    )
    return value, signature


def presign(signer, method, target, host, expires_seconds=900, headers=(), payload_hash=UNSIGNED_PAYLOAD):
    """Returns `target` with the X-Amz-* query parameters of a presigned URL; `headers` must then be sent as given."""
    signed = [("host", host), *headers]
    names = sorted({name.lower() for name, _ in signed})
    parameters = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", f"{signer.credentials.access_key_id}/{signer.scope}"),
        ("X-Amz-Date", signer.timestamp),
        ("X-Amz-Expires", str(expires_seconds)),
        ("X-Amz-SignedHeaders", ";".join(names)),
    ]
    separator = "&" if "?" in target else "?"
    target += separator + "&".join(f"{name}={encode(value)}" for name, value in parameters)
    return f"{target}&X-Amz-Signature={signer.signature(method, target, signed, names, payload_hash)}"


def chunked_body(signer, seed_signature, data, chunk_bytes, signed=True, trailer=()):
    """Returns `data` in the aws-chunked coding, as a list of parts that a test may alter before it joins them.

    Each chunk is one part; then the final chunk of no bytes; then, when there is a trailer, its lines.
    `trailer` is [(name, value)]. Source: "Signature Calculations: Transferring Payload in Multiple Chunks".
    """
    parts = []
    previous = seed_signature
    pieces = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)] + [b""]
    for piece in pieces:
        size = f"{len(piece):x}"
        if signed:
            previous = signer.sign(
                f"AWS4-HMAC-SHA256-PAYLOAD\n{signer.timestamp}\n{signer.scope}\n{previous}\n{EMPTY_SHA256}\n"
                + hashlib.sha256(piece).hexdigest()
            )
            size += f";chunk-signature={previous}"
        # With a trailer the final chunk has no empty line of its own: the trailer's lines follow at once.
        end = b"" if trailer and not piece else b"\r\n"
        parts.append(size.encode() + b"\r\n" + piece + end)
    if trailer:
        lines = "".join(f"{name}:{value}\r\n" for name, value in trailer)
        if signed:
            canonical = "".join(f"{name}:{value}\n" for name, value in trailer)
            signature = signer.sign(
                f"AWS4-HMAC-SHA256-TRAILER\n{signer.timestamp}\n{signer.scope}\n{previous}\n"
                + hashlib.sha256(canonical.encode()).hexdigest()
            )
            lines += f"x-amz-trailer-signature:{signature}\r\n"
        parts.append(lines.encode() + b"\r\n")
    return parts
