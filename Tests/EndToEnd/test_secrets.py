"""No secret, signature or presigned query in a log, an answer, a command line or, in the clear, in the database."""

import pathlib
import re

import pytest

from support.processes import statuses


def logs(stack):
    return {path.name: path.read_bytes() for path in stack.directory.glob("*.log")}


@pytest.fixture(scope="module")
def exercised(gateway):
    """Requests of every kind, good and bad, whose signatures are then looked for."""
    raw, bucket = gateway.raw("alice"), gateway.new_bucket("alice")
    signatures = []

    def send(method, target, body=b"", **options):
        request = raw.build(method, target, body, **options)
        signatures.extend(re.findall(rb"Signature=([0-9a-f]{64})", request.bytes()))
        raw.exchange(request.bytes(), method)

    for sign in ("header", "query"):
        send("PUT", f"/{bucket}/k", b"x", sign=sign)
        send("GET", f"/{bucket}/k", sign=sign)
        send("GET", f"/{bucket}/none", sign=sign)
        send("GET", f"/{bucket}/k", sign=sign, region="wrong-1")
        send("PUT", f"/{bucket}/k", b"y" * 1000, sign=sign, payload_hash="0" * 64 if sign == "header" else None)
    send("PUT", f"/{bucket}/chunks", b"z" * 100_000, payload="chunked")
    assert len(signatures) >= 10
    return gateway, signatures


def test_no_signature_is_in_the_gateways_logs_or_in_the_shipped_access_log(exercised):
    gateway, signatures = exercised
    checked = [name for name in logs(gateway) if name != "nginx-error.log"]  # nginx's own words, not ours to choose
    assert {"s3gw-fcgi.log", "nginx-access.log"} <= set(checked)
    for name in checked:
        for signature in signatures:
            assert signature not in logs(gateway)[name], name


def test_no_secret_is_in_any_log(exercised, radosgw_gateway):
    gateway, _ = exercised
    for stack in (gateway, radosgw_gateway):
        secrets = [tenant.credentials.secret_access_key.encode() for tenant in stack.tenants.values()]
        secrets += [b"gatewaysecretkeygatewaysecretkey", (stack.directory / "master.key").read_bytes().strip()]
        for name, text in logs(stack).items():
            for secret in secrets:
                assert secret not in text, name


def test_no_secret_is_in_the_database_in_the_clear(exercised, radosgw_gateway):
    gateway, _ = exercised
    for stack in (gateway, radosgw_gateway):
        secrets = [tenant.credentials.secret_access_key.encode() for tenant in stack.tenants.values()] + [
            b"gatewaysecretkeygatewaysecretkey"
        ]
        for path in (stack.database_path, pathlib.Path(f"{stack.database_path}-wal")):
            data = path.read_bytes() if path.exists() else b""
            for secret in secrets:
                assert secret not in data, path


def test_no_secret_is_in_a_command_line_or_in_the_environment_of_a_process(exercised):
    gateway, _ = exercised
    secrets = [tenant.credentials.secret_access_key.encode() for tenant in gateway.tenants.values()]
    secrets.append((gateway.directory / "master.key").read_bytes().strip())
    group = {pid for daemon in gateway.daemons for pid in daemon.group()}
    assert len(group) >= 4
    for pid, status in statuses():
        if status["group"] in {daemon.pid for daemon in gateway.daemons}:
            for name in ("cmdline", "environ"):
                text = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
                assert not any(secret in text for secret in secrets), (pid, name)


def test_physical_names_appear_in_no_answer(gateway, raw, bucket):
    raw.request("PUT", f"/{bucket}/k", b"x")
    targets = (
        f"/{bucket}/k",
        f"/{bucket}",
        f"/{bucket}?list-type=2&fetch-owner=true",
        f"/{bucket}?location",
        "/",
        f"/{bucket}/none",
    )
    for target in targets:
        answer = raw.request("GET", target)
        whole = answer.body + repr(answer.headers).encode()
        assert b"s3gw-" not in whole.replace(b"s3gw-nginx", b""), (target, whole)


def test_every_log_line_of_ours_is_one_json_object_even_for_hostile_keys(gateway, raw, bucket):
    import json

    for key in ("line%0D%0Abreak", "%1B%5B31mred", "quote%22quote", "%E2%80%A8separator"):
        raw.request("PUT", f"/{bucket}/{key}", b"x")
        raw.request("GET", f"/{bucket}/{key}-none")
    text = (gateway.directory / "s3gw-fcgi.log").read_text()
    assert text.strip()
    for line in text.splitlines():
        json.loads(line)
        assert "\x1b" not in line and "\r" not in line


def test_a_refusal_is_found_in_the_log_under_its_request_id(gateway, raw, bucket):
    answer = raw.request("PUT", f"/{bucket}/k", b"x", payload_hash="0" * 64)
    request_id = answer.header("x-amz-request-id")
    assert request_id in (gateway.directory / "s3gw-fcgi.log").read_text()
