"""What nginx itself answers is S3 too: its errors are S3 XML, its configuration is the shipped one."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

from support import paths
from support.processes import wait_until
from support.rawclient import parse, set_header
from support.sigv4 import Credentials


def is_s3_error(answer, status, codes):
    assert answer.status == status, (answer.status, answer.body)
    assert answer.header("Content-Type") == "application/xml", answer.headers
    document = answer.xml
    assert document.tag == "Error" and document.findtext("Code") in codes, answer.body
    assert document.findtext("RequestId")
    assert document.findtext("HostId") == answer.header("x-amz-id-2")


def send(stack, data, port=None):
    with socket.create_connection(("127.0.0.1", port or stack.nginx.http_port), timeout=30) as connection:
        connection.sendall(data)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return parse(answer)


def test_a_request_nginx_cannot_parse_is_400(gateway):
    for data in (
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /b/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /b/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/2.5\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ):
        is_s3_error(send(gateway, data), 400, {"BadRequest", "InvalidURI", "InvalidRequest"})


def test_plain_http_where_tls_is_spoken_is_400(gateway):
    data = b"GET /b/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    is_s3_error(send(gateway, data, gateway.nginx.https_port), 400, {"BadRequest"})


def test_a_request_line_that_is_too_long_is_an_invalid_uri(gateway):
    data = b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    # S3 has no 414: a URI that is too long is an InvalidURI.
    is_s3_error(send(gateway, data), 400, {"InvalidURI"})


def test_a_header_that_is_too_long_is_400(gateway):
    data = b"GET / HTTP/1.1\r\nHost: x\r\nx-big: " + b"a" * 40_000 + b"\r\nConnection: close\r\n\r\n"
    is_s3_error(send(gateway, data), 400, {"RequestHeaderSectionTooLarge", "BadRequest"})


def test_headers_that_are_too_many_bytes_together_are_400(gateway):
    # They would not fit a FastCGI record.
    fields = b"".join(b"x-big-%d: %b\r\n" % (number, b"a" * 31_000) for number in range(3))
    data = b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"Connection: close\r\n\r\n"
    is_s3_error(send(gateway, data), 400, {"RequestHeaderSectionTooLarge"})


def test_a_body_above_nginxs_limit_is_entity_too_large_before_it_is_sent(gateway, raw, bucket):
    request = raw.build("PUT", f"/{bucket}/k", b"", payload="unsigned")
    set_header("Content-Length", str(6 << 30))(request)
    is_s3_error(raw.exchange(request.bytes(), "PUT"), 400, {"EntityTooLarge"})


def test_an_object_above_the_sites_limit_is_entity_too_large(stacks):
    stack = stacks.files(nginx_server_extra="set $s3gw_max_put_size 1m;")
    stack.start()
    bucket = stack.new_bucket("alice")
    raw = stack.raw("alice")
    is_s3_error(raw.request("PUT", f"/{bucket}/k", b"x" * ((1 << 20) + 1)), 400, {"EntityTooLarge"})
    assert raw.request("HEAD", f"/{bucket}/k").status == 404
    assert raw.request("PUT", f"/{bucket}/k", b"x" * (1 << 20)).status == 200


def test_a_sites_region_is_the_one_that_signatures_must_name(stacks):
    stack = stacks.files(nginx_server_extra="set $s3gw_region se-sto-1;")
    stack.start_pool()
    stack.nginx.start()
    raw = stack.raw("alice")
    assert raw.request("GET", "/", region="se-sto-1").status == 200
    answer = raw.request("GET", "/")
    assert (answer.status, answer.xml.findtext("Region")) == (400, "se-sto-1")


def test_a_site_parameter_that_is_not_known_is_refused_and_logged(stacks):
    stack = stacks.files(nginx_edits=[("fastcgi_param S3GW_REGION ", "fastcgi_param S3GW_REGOIN ")])
    stack.start_pool()
    stack.nginx.start()
    is_s3_error(stack.raw("alice").request("GET", "/"), 500, {"InternalError"})
    assert "S3GW_REGOIN" in stack.pool.tail()


def test_when_the_pool_is_gone_the_answer_is_502_or_503_in_xml(stacks):
    stack = stacks.files()
    stack.start()
    stack.pool.stop()
    answer = stack.raw("alice").request("GET", "/")
    assert answer.status in (502, 503)
    is_s3_error(answer, answer.status, {"ServiceUnavailable"})


@pytest.mark.timeout(60)
def test_when_the_pool_hangs_the_answer_is_504_in_xml(stacks):
    stack = stacks.files(nginx_edits=[("fastcgi_read_timeout 300s;", "fastcgi_read_timeout 1s;")])
    stack.start()
    for pid in stack.pool.group():
        os.kill(pid, signal.SIGSTOP)
    try:
        answer = stack.raw("alice").request("GET", "/")
    finally:
        for pid in stack.pool.group():
            os.kill(pid, signal.SIGCONT)
    is_s3_error(answer, 504, {"ServiceUnavailable"})


def test_a_client_cannot_ask_for_the_error_page_itself(gateway):
    is_s3_error(gateway.raw("alice").request("GET", "/.s3gw-nginx-error?code=%3Cx%3E"), 404, {"NoSuchBucket"})


def test_headers_with_underscores_and_dots_arrive(raw, bucket):
    headers = [("x-amz-meta-under_score", "1"), ("x-amz-meta-dot.ted", "2")]
    assert raw.request("PUT", f"/{bucket}/k", b"", headers=headers).status == 200
    answer = raw.request("HEAD", f"/{bucket}/k")
    assert (answer.header("x-amz-meta-under_score"), answer.header("x-amz-meta-dot.ted")) == ("1", "2")


def test_a_key_is_not_decoded_merged_or_normalised_on_its_way(raw, bucket):
    for path in ("a//b", "a%2Fb", "a/./c", "plus+plus", "semi;colon=1"):
        assert raw.request("PUT", f"/{bucket}/{path}", path.encode()).status == 200, path
    keys = [entry.findtext("Key") for entry in raw.request("GET", f"/{bucket}?list-type=2").xml.iter("Contents")]
    assert keys == ["a/./c", "a//b", "a/b", "plus+plus", "semi;colon=1"]


def test_a_large_answer_and_a_large_object_pass_unchanged_over_http_2(gateway, raw, bucket, payload):
    from support.clients import curl

    body = payload(5_000_000)
    raw.request("PUT", f"/{bucket}/large", body)
    assert (
        curl(
            gateway,
            "--http2",
            "--header",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            f"{gateway.https_url}/{bucket}/large",
            tenant="alice",
        )
        == body
    )


def test_the_spool_is_empty_again_when_requests_are_over(gateway, raw, bucket, payload):
    for number in range(5):
        raw.request("PUT", f"/{bucket}/k{number}", payload(100_000))
        raw.request("PUT", f"/{bucket}/k{number}", payload(100_000), credentials=Credentials("x", "y"))
    # nginx removes the file of a request after the client has its answer.
    wait_until(lambda: not [path for path in gateway.spool.rglob("*") if path.is_file()], "the spool is empty", 5)


def test_compression_is_never_applied(gateway, raw, bucket):
    raw.request("PUT", f"/{bucket}/text", b"a" * 100_000, headers=[("Content-Type", "text/plain")])
    answer = raw.request("GET", f"/{bucket}/text", headers=[("Accept-Encoding", "gzip")])
    assert answer.header("Content-Encoding") is None and answer.header("Content-Length") == "100000"


@pytest.mark.parametrize("name", ["s3gw-http.conf", "s3gw-server.conf"])
def test_the_shipped_files_name_the_code_that_relies_on_them(name):
    text = (paths.REPOSITORY / "nginx" / name).read_text()
    for path in {word.strip(".,;:()`") for word in text.split() if word.strip(".,;:()`").endswith(".swift")}:
        assert list(paths.REPOSITORY.glob(f"Sources/**/{path.rpartition('/')[2]}")), (
            f"{name} names {path}, which is not there"
        )


def test_every_shipped_example_passes_nginx_t(tmp_path, authority):
    shutil.copytree(paths.REPOSITORY / "nginx", tmp_path / "s3gw")
    examples = sorted((tmp_path / "s3gw").glob("*example*.conf"))
    assert examples, "an operator starts from an example"
    for example in examples:
        text = example.read_text()
        # The example's own paths and names, as an operator changes them.
        text = text.replace("/etc/ssl/certs/s3.example.com.pem", str(authority.certificate))
        text = text.replace("/etc/ssl/private/s3.example.com.key", str(authority.key)).replace(
            "/var/log/nginx", str(tmp_path)
        )
        example.write_text(text)
        whole = tmp_path / "nginx.conf"
        whole.write_text(
            f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} http {{ include s3gw/{example.name}; }}"
        )
        words = [paths.NGINX, "-t", "-p", tmp_path, "-c", whole, "-e", tmp_path / "e"]
        result = subprocess.run(words, capture_output=True, text=True, timeout=20)
        assert result.returncode == 0, result.stderr
