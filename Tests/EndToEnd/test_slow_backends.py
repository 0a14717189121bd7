"""A completion or a copy that takes long: the client hears white space early, and then the result or an error."""

import concurrent.futures
import contextlib
import dataclasses
import re
import socket
import time
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import running

from support.multipart import MIB, PART, begin, complete, refusal, send
from support.rawclient import strip_namespace
from support.slowness import SlowProxy

# SlowAnswer.swift: what a client hears after this, and then again and again.
SILENCE_SECONDS = 10
# Longer than nginx is told to wait below, and than the impatient clients here.
WORK_SECONDS = 2 * SILENCE_SECONDS + 5
PATIENCE_SECONDS = SILENCE_SECONDS + 5
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def stack(stacks, radosgw):
    """One radosgw, and an nginx that gives up an upstream which is silent for 15 s."""
    stack = stacks.over(
        radosgw, nginx_edits=[("fastcgi_read_timeout 300s", f"fastcgi_read_timeout {PATIENCE_SECONDS}s")]
    )
    for tenant in ("alice", "bob"):
        stack.set_policy({"residency": {"allow": ["country:FI"]}}, "--tenant", tenant)
    with running(stack):
        yield stack


@contextlib.contextmanager
def frozen(region):
    region.freeze()
    try:
        yield
    finally:
        region.thaw()


def impatient(stack):
    """boto3 that gives a silent connection up before the work is done, and tries nothing twice."""
    return stack.boto3(read_timeout=PATIENCE_SECONDS, retries={"total_max_attempts": 1})


class Listener:
    """Sends one request, and notes when each piece of the answer arrived."""

    def __init__(self, client, *words, **options):
        self.pieces = []  # (seconds since the request, bytes)
        self.start = time.monotonic()
        with client.connect() as connection:
            connection.sendall(client.build(*words, **options).bytes())
            connection.settimeout(PATIENCE_SECONDS)
            with contextlib.suppress(ConnectionResetError):
                while piece := connection.recv(65536):
                    self.pieces.append((time.monotonic() - self.start, piece))
        head, _, self.chunked = b"".join(piece for _, piece in self.pieces).partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])

    @property
    def body(self):
        rest, found = self.chunked, b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            count = int(size, 16)
            if count == 0:
                return found
            found, rest = found + rest[:count], rest[count + 2 :]

    def check_white_space(self):
        """The head and the declaration came after the first silence, then single blanks; returns the document."""
        assert self.status == 200, self.pieces
        assert self.headers["transfer-encoding"] == "chunked" and "content-length" not in self.headers
        assert self.headers["content-type"] == "application/xml" and self.headers["x-amz-request-id"]
        assert not any(name.startswith("x-accel") for name in self.headers)
        body = self.body
        assert body.startswith(DECLARATION)
        blanks = re.match(rb" *", body[len(DECLARATION) :]).group()
        assert len(blanks) >= 2
        first = self.pieces[0][0]
        assert SILENCE_SECONDS - 1 < first < SILENCE_SECONDS + 3, "the head came early"
        assert len({round(when) for when, _ in self.pieces}) >= 3, self.pieces
        return strip_namespace(ElementTree.fromstring(body))


def test_a_slow_completion_and_a_slow_copy_answer_early_and_end_well(stack, radosgw, payload):
    s3, raw = stack.boto3(), stack.raw()
    bucket = stack.new_bucket()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    parts = [payload(PART), b"end"]
    source = s3.put_object(Bucket=bucket, Key="source", Body=parts[0])["VersionId"]
    uploads = {key: begin(s3, bucket, key) for key in ("raw", "boto3")}
    done = {key: send(s3, bucket, upload, parts, key) for key, upload in uploads.items()}
    document = "".join(
        f"<Part><PartNumber>{part['PartNumber']}</PartNumber><ETag>{part['ETag']}</ETag></Part>" for part in done["raw"]
    )
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        with frozen(radosgw["r1"]):
            completion = pool.submit(
                Listener,
                raw,
                "POST",
                f"/{bucket}/raw?uploadId={uploads['raw']}",
                f"<CompleteMultipartUpload>{document}</CompleteMultipartUpload>".encode(),
            )
            copy = pool.submit(
                Listener, raw, "PUT", f"/{bucket}/copy", headers=[("x-amz-copy-source", f"{bucket}/source")]
            )
            by_boto3 = pool.submit(complete, impatient(stack), bucket, uploads["boto3"], done["boto3"], "boto3")
            copy_by_boto3 = pool.submit(
                impatient(stack).copy_object, Bucket=bucket, Key="copy-2", CopySource=f"{bucket}/source"
            )
            time.sleep(WORK_SECONDS)
        completed, copied = completion.result(), copy.result()
        assert by_boto3.result()["ETag"] == s3.head_object(Bucket=bucket, Key="boto3")["ETag"]
        assert copy_by_boto3.result()["CopyObjectResult"]["ETag"] == done["boto3"][0]["ETag"]
    result = completed.check_white_space()
    head = s3.head_object(Bucket=bucket, Key="raw")
    assert (result.tag, result.findtext("ETag")) == ("CompleteMultipartUploadResult", head["ETag"])
    assert completed.headers["x-amz-version-id"].upper() == head["VersionId"].upper()
    assert s3.get_object(Bucket=bucket, Key="raw")["Body"].read() == b"".join(parts)
    result = copied.check_white_space()
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (result.tag, result.findtext("ETag")) == ("CopyObjectResult", head["ETag"])
    assert copied.headers["x-amz-version-id"].upper() == head["VersionId"].upper()
    assert copied.headers["x-amz-copy-source-version-id"].upper() == source.upper()


def test_a_failure_after_the_early_head_is_an_error_document_under_200(stack, radosgw):
    s3, raw = stack.boto3(), stack.raw()
    bucket = stack.new_bucket()
    uploads = {key: begin(s3, bucket, key) for key in ("raw", "boto3")}
    done = {key: send(s3, bucket, upload, [b"x"], key) for key, upload in uploads.items()}
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{done['raw'][0]['ETag']}</ETag></Part></CompleteMultipartUpload>"
    )
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with frozen(radosgw["r1"]):
            completion = pool.submit(
                Listener, raw, "POST", f"/{bucket}/raw?uploadId={uploads['raw']}", body.encode()
            )
            by_boto3 = pool.submit(
                refusal, lambda: complete(impatient(stack), bucket, uploads["boto3"], done["boto3"], "boto3")
            )
            time.sleep(SILENCE_SECONDS + 2)
            for key, upload in uploads.items():
                s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
            # What is found before anything was sent keeps its status, slow backend or not.
            assert refusal(lambda: complete(s3, bucket, uploads["raw"], done["raw"], "raw")) == (404, "NoSuchUpload")
            time.sleep(SILENCE_SECONDS)
        answer = completion.result()
        assert by_boto3.result()[1] == "NoSuchUpload", "boto3 finds the error in the body"
    error = answer.check_white_space()
    assert (error.tag, error.findtext("Code")) == ("Error", "NoSuchUpload")
    assert error.findtext("RequestId").lower() == answer.headers["x-amz-request-id"]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_part_copied_to_a_slow_store_answers_early(stacks, radosgw, payload):
    stack = stacks.bare()
    stack.add_file_backend("fast", "FI")
    proxy = SlowProxy(int(radosgw["r2"].endpoint.rpartition(":")[2]), MIB)
    stack.add_s3_backend("slow", dataclasses.replace(radosgw["r2"], endpoint=f"http://127.0.0.1:{proxy.port}"), "DE")
    stack.create_tenant("alice")
    with running(stack), contextlib.closing(proxy):
        s3 = stack.boto3()
        fast, slow = f"{stack.new_bucket()}-fast", f"{stack.new_bucket()}-slow"
        for bucket, country in ((fast, "FI"), (slow, "DE")):
            s3.create_bucket(Bucket=bucket)
            stack.set_policy({"residency": {"allow": [f"country:{country}"]}}, "--bucket", bucket)
        body = payload(18 * MIB)
        s3.put_object(Bucket=fast, Key="source", Body=body)
        upload = begin(s3, slow)
        answer = Listener(
            stack.raw(),
            "PUT",
            f"/{slow}/k?partNumber=1&uploadId={upload}",
            headers=[("x-amz-copy-source", f"{fast}/source")],
        )
        assert answer.status == 200 and answer.body.startswith(DECLARATION + b" "), answer.pieces
        assert answer.pieces[0][0] < SILENCE_SECONDS + 3 < answer.pieces[-1][0]
        part = s3.list_parts(Bucket=slow, Key="k", UploadId=upload)["Parts"][0]
        assert part["ETag"].encode() in answer.body.replace(b"&quot;", b'"') and part["Size"] == len(body)
        s3.abort_multipart_upload(Bucket=slow, Key="k", UploadId=upload)


def test_a_client_that_leaves_does_not_stop_the_work(stack, radosgw):
    s3, raw = stack.boto3(), stack.raw()
    bucket = stack.new_bucket()
    s3.put_object(Bucket=bucket, Key="source", Body=b"body")
    with frozen(radosgw["r1"]):
        request = raw.build("PUT", f"/{bucket}/copy", headers=[("x-amz-copy-source", f"{bucket}/source")])
        with raw.connect() as connection:
            connection.sendall(request.bytes())
            connection.settimeout(PATIENCE_SECONDS)
            assert connection.recv(12) == b"HTTP/1.1 200"
            connection.shutdown(socket.SHUT_RDWR)
        time.sleep(SILENCE_SECONDS + 1)
    deadline = time.monotonic() + 20
    while s3.list_objects_v2(Bucket=bucket)["KeyCount"] < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"body"
