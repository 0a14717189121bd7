"""A client that puts on the wire exactly the bytes a test asks for, signed rightly or wrongly."""

import http.client
import io
import socket
import ssl
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from . import sigv4

TIMEOUT_SECONDS = 60  # what boto3 waits by default
CHUNK_BYTES = 64 * 1024


@dataclass
class Answer:
    status: int
    headers: list  # [(name, value)] in the order of the wire
    body: bytes
    truncated: bool = False

    def header(self, name):
        """Returns the one value of a header, or None; two headers of one name are an error in this suite."""
        values = [value for other, value in self.headers if other.lower() == name.lower()]
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def xml(self):
        return strip_namespace(ElementTree.fromstring(self.body))

    @property
    def code(self):
        """Returns the S3 error code of an error document, after checking the document's form."""
        document = self.xml
        assert document.tag == "Error", self.body
        assert document.findtext("RequestId"), self.body
        assert self.header("x-amz-request-id") == document.findtext("RequestId")
        assert self.header("Content-Type") == "application/xml"
        return document.findtext("Code")


def strip_namespace(element):
    for each in element.iter():
        each.tag = each.tag.partition("}")[2] or each.tag
    return element


@dataclass
class Request:
    """What goes on the wire; a test's `tamper` function may change any of it after signing."""

    method: str
    target: str
    headers: list
    body: bytes = b""
    parts: list = field(default_factory=list)  # the aws-chunked parts, when the body is coded that way

    def bytes(self):
        lines = [f"{self.method} {self.target} HTTP/1.1"] + [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"".join(self.parts) if self.parts else self.body)


class RawClient:
    """Sends one request a connection; `url` is http://host:port or https://host:port."""

    def __init__(self, address, credentials, region, host=None, ca_file=None, tls_name="localhost"):
        self.address = address  # (host, port) to connect to
        self.credentials = credentials
        self.region = region
        self.host = host or f"{address[0]}:{address[1]}"
        self.ca_file = ca_file
        self.tls_name = tls_name

    def connect(self):
        connection = socket.create_connection(self.address, timeout=TIMEOUT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file)
            connection = context.wrap_socket(connection, server_hostname=self.tls_name)
        return connection

    def exchange(self, data, method="GET"):
        """Sends `data` as it is and returns the Answer."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server may answer and close before it has read a body that it refuses
            return self.read(connection, method)

    @staticmethod
    def read(connection, method="GET"):
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            body, truncated = response.read(), False
        except http.client.IncompleteRead as cut:
            body, truncated = cut.partial, True
        finally:
            response.close()
        return Answer(response.status, response.getheaders(), body, truncated)

    def build(
        self,
        method,
        target,
        body=b"",
        headers=(),
        payload="hex",
        sign="header",
        trailer=(),
        chunk_bytes=CHUNK_BYTES,
        when=None,
        region=None,
        credentials=None,
        signed_names=None,
        expires_seconds=900,
        payload_hash=None,
        host=None,
        service="s3",
        content_length=True,
    ):
        """Returns a signed Request.

        `payload` is hex, unsigned, chunked, chunked-trailer or unsigned-trailer; `sign` is header, query or None.
        `payload_hash` overrides the value of x-amz-content-sha256; `trailer` is [(name, value)].
        """
        signer = sigv4.Signer(credentials or self.credentials, region or self.region, when, service)
        headers = [("Host", host or self.host), *headers]
        request = Request(method, target, headers, body)
        modes = {
            "hex": sigv4.hashlib.sha256(body).hexdigest(),
            "unsigned": sigv4.UNSIGNED_PAYLOAD,
            "chunked": sigv4.STREAMING,
            "chunked-trailer": sigv4.STREAMING_TRAILER,
            "unsigned-trailer": sigv4.STREAMING_UNSIGNED_TRAILER,
        }
        declared = payload_hash or modes[payload]
        coded = payload in ("chunked", "chunked-trailer", "unsigned-trailer")
        if coded:
            given = [value for name, value in headers if name.lower() == "content-encoding"]
            headers[:] = [(name, value) for name, value in headers if name.lower() != "content-encoding"]
            headers.append(("Content-Encoding", ",".join([*given, "aws-chunked"])))
            headers.append(("x-amz-decoded-content-length", str(len(body))))
            if trailer:
                headers.append(("x-amz-trailer", ",".join(name for name, _ in trailer)))

        signature = ""
        if sign == "header":
            headers.append(("x-amz-date", signer.timestamp))
            headers.append(("x-amz-content-sha256", declared))
            value, signature = sigv4.authorization(signer, method, target, headers, declared, signed_names)
            headers.append(("Authorization", value))
        elif sign == "query":
            request.target = sigv4.presign(
                signer,
                method,
                target,
                host or self.host,
                expires_seconds,
                headers[1:],
                payload_hash or sigv4.UNSIGNED_PAYLOAD,
            )
        if coded:
            request.parts = sigv4.chunked_body(
                signer, signature, body, chunk_bytes, signed=payload != "unsigned-trailer", trailer=trailer
            )
        length = sum(map(len, request.parts)) if coded else len(body)
        if content_length and (length or method in ("PUT", "POST")):
            headers.append(("Content-Length", str(length)))
        headers.append(("Connection", "close"))
        return request

    def request(self, method, target, body=b"", tamper=None, **options):
        """Builds, lets `tamper(request)` change what was signed, sends, and returns the Answer."""
        request = self.build(method, target, body, **options)
        if tamper:
            tamper(request)
        return self.exchange(request.bytes(), method)


def set_header(name, value):
    """A tamper function: replaces the first header of that name, or adds it."""

    def tamper(request):
        for index, (other, _) in enumerate(request.headers):
            if other.lower() == name.lower():
                request.headers[index] = (other, value)
                return
        request.headers.append((name, value))

    return tamper


def add_header(name, value):
    return lambda request: request.headers.append((name, value))


def drop_header(name):
    def tamper(request):
        request.headers[:] = [(other, value) for other, value in request.headers if other.lower() != name.lower()]

    return tamper


def parse(data, method="GET"):
    """Returns the Answer that `data`, a whole HTTP response, holds."""

    class Source:
        def makefile(self, mode):
            return io.BytesIO(data)

    return RawClient.read(Source(), method)
