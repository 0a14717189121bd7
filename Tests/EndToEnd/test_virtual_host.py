"""Buckets in the Host header: the same objects as by path, for the raw client, boto3 and curl."""

import socket

import pytest

from support.clients import curl
from support.stack import DOMAIN


@pytest.fixture
def hosts(gateway):
    port = gateway.nginx.http_port
    return lambda bucket, domain=DOMAIN: f"{bucket}.{domain}:{port}"


def test_an_object_put_by_path_is_read_by_host_and_the_other_way_round(gateway, raw, bucket, hosts):
    by_host = gateway.raw("alice", host=hosts(bucket))
    assert raw.request("PUT", f"/{bucket}/by%20path", b"one").status == 200
    assert by_host.request("PUT", "/by%20host", b"two").status == 200
    assert by_host.request("GET", "/by%20path").body == b"one"
    assert raw.request("GET", f"/{bucket}/by%20host").body == b"two"
    listing = by_host.request("GET", "/?list-type=2").xml
    assert [entry.findtext("Key") for entry in listing.iter("Contents")] == ["by host", "by path"]


def test_a_bucket_is_created_and_deleted_by_host(gateway, raw, hosts):
    by_host = gateway.raw("alice", host=hosts("made-by-host"))
    assert by_host.request("PUT", "/").status == 200
    assert raw.request("HEAD", "/made-by-host").status == 200
    assert by_host.request("DELETE", "/").status == 204
    assert raw.request("HEAD", "/made-by-host").status == 404


def test_the_host_is_compared_without_regard_to_case_and_signed_as_sent(gateway, raw, bucket, hosts):
    raw.request("PUT", f"/{bucket}/k", b"x")
    assert gateway.raw("alice", host=hosts(bucket, "S3.LocalHost")).request("GET", "/k").body == b"x"


def test_the_bare_domain_is_path_style(gateway, bucket):
    client = gateway.raw("alice", host=f"{DOMAIN}:{gateway.nginx.http_port}")
    assert client.request("PUT", f"/{bucket}/k", b"x").status == 200


def test_a_bucket_with_dots_is_found_by_host(gateway, s3, hosts):
    s3.create_bucket(Bucket="dotted.bucket.name")
    by_host = gateway.raw("alice", host=hosts("dotted.bucket.name"))
    assert by_host.request("PUT", "/k", b"x").status == 200
    assert by_host.request("GET", "/k").body == b"x"


def test_an_absolute_form_that_names_another_host_is_refused(raw, bucket):
    request = raw.build("GET", f"/{bucket}?list-type=2")
    request.target = f"http://other.example{request.target}"
    answer = raw.exchange(request.bytes())
    assert answer.status in (400, 403) and answer.body.startswith(b"<?xml"), answer.body


def test_boto3_with_virtual_addressing_over_tls(gateway, monkeypatch, bucket, payload):
    # Not every resolver knows names below localhost; this process is told.
    resolve = socket.getaddrinfo

    def local(host, *arguments, **options):
        return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    s3 = gateway.boto3("alice", url=f"https://{DOMAIN}:{gateway.nginx.https_port}", s3={"addressing_style": "virtual"})
    body = payload(100_000)
    s3.put_object(Bucket=bucket, Key="virtual/key", Body=body)
    assert s3.get_object(Bucket=bucket, Key="virtual/key")["Body"].read() == body
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "virtual/key"})
    assert url.startswith(f"https://{bucket}.{DOMAIN}:")
    resolve_words = ["--resolve", f"{bucket}.{DOMAIN}:{gateway.nginx.https_port}:127.0.0.1"]
    assert curl(gateway, *resolve_words, url, signed=False) == body
