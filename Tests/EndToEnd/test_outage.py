"""Backends that are gone, hang or come back: another allowed one or 503, and never a half object."""

import time

import pytest

from support.processes import wait_until

EVERYWHERE = {"replicas": {"count": 1, "order": ["fi-fi-1", "de-de-1", "fr-fr-1"]}}
ONLY_FINLAND = {"residency": {"allow": ["country:FI"]}}


@pytest.fixture
def own_radosgw(stacks, authority):
    """Three regions for one test, that it may break."""
    from support.radosgw import RadosGateways

    gateways = RadosGateways(stacks.directory("own") / "ceph", authority)
    stacks.exits.callback(gateways.down)
    return gateways


@pytest.fixture
def stack(stacks, own_radosgw):
    stack = stacks.over(own_radosgw)
    stack.set_policy(EVERYWHERE, "--tenant", "alice")
    stack.set_policy(ONLY_FINLAND, "--tenant", "bob")
    return stack.start()


def markers(gateways, region, marker):
    return [key for _, key in gateways[region].objects() if marker in key]


def kill(region):
    import os
    import signal

    os.kill(region.pid, signal.SIGKILL)


@pytest.mark.timeout(180)
def test_a_dead_backend_is_replaced_by_another_allowed_one_and_reads_fail_over(stack, own_radosgw, payload):
    bucket = stack.new_bucket("alice")
    raw, body = stack.raw("alice"), payload(50_000)
    assert raw.request("PUT", f"/{bucket}/early", body).status == 200
    assert markers(own_radosgw, "r1", "early")
    both = {"replicas": {"count": 2, "acknowledge": "all", "order": ["fi-fi-1", "de-de-1", "fr-fr-1"]}}
    stack.set_policy(both, "--tenant", "alice")
    wait_until(
        lambda: raw.request("PUT", f"/{bucket}/doubled", body).status == 200 and markers(own_radosgw, "r2", "doubled"),
        "two replicas",
    )
    stack.set_policy(EVERYWHERE, "--tenant", "alice")

    kill(own_radosgw["r1"])
    for number in range(6):
        answer = raw.request("PUT", f"/{bucket}/late-{number}", body)
        assert answer.status in (200, 503), answer.body
    wait_until(lambda: raw.request("PUT", f"/{bucket}/settled", body).status == 200, "another backend takes over")
    assert markers(own_radosgw, "r2", "settled") or markers(own_radosgw, "r3", "settled")
    assert raw.request("GET", f"/{bucket}/doubled").body == body
    gone = raw.request("GET", f"/{bucket}/early")
    assert (gone.status, gone.code) in ((503, "ServiceUnavailable"), (503, "SlowDown")), gone.body


@pytest.mark.timeout(180)
def test_when_the_only_allowed_backend_is_dead_the_answer_is_503_and_nothing_goes_elsewhere(
    stack, own_radosgw, payload
):
    bucket = stack.new_bucket("bob")
    raw = stack.raw("bob")
    assert raw.request("PUT", f"/{bucket}/k", b"old").status == 200
    before = own_radosgw["r2"].objects(), own_radosgw["r3"].objects()
    kill(own_radosgw["r1"])
    for _ in range(3):
        answer = raw.request("PUT", f"/{bucket}/k", payload(10_000))
        assert answer.status == 503 and answer.code in ("ServiceUnavailable", "SlowDown"), answer.body
    assert (own_radosgw["r2"].objects(), own_radosgw["r3"].objects()) == before
    assert stack.boto3("bob").list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == 3, (
        "the old version is still the current one"
    )
    assert raw.request("HEAD", f"/{bucket}/k").header("Content-Length") == "3"


@pytest.mark.timeout(180)
def test_a_backend_that_hangs_is_given_up_within_a_bound_and_used_again_when_it_wakes(stack, own_radosgw, payload):
    bucket = stack.new_bucket("alice")
    raw, body = stack.raw("alice"), payload(20_000)
    assert raw.request("PUT", f"/{bucket}/first", body).status == 200
    own_radosgw["r1"].freeze()
    try:
        started = time.monotonic()

        def taken_over():
            return raw.request("PUT", f"/{bucket}/hung", body).status == 200

        wait_until(taken_over, "another backend takes over from the hanging one", 60)
        assert time.monotonic() - started < 60
        assert raw.request("GET", f"/{bucket}/hung").body == body
    finally:
        own_radosgw["r1"].thaw()

    def used_again():
        assert raw.request("PUT", f"/{bucket}/awake", body).status == 200
        return markers(own_radosgw, "r1", "awake")

    wait_until(used_again, "the backend that woke up is used again", 60, pause=0.5)
    # The other process of the pool may have to find out for itself.
    wait_until(lambda: raw.request("GET", f"/{bucket}/first").body == body, "what only it has is read", 20, pause=0.5)


@pytest.mark.timeout(180)
def test_a_replica_that_vanished_from_one_backend_is_read_from_the_other(stacks, payload):
    stack = stacks.files()
    stack.set_policy({"replicas": {"count": 2, "acknowledge": "all"}}, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    body = payload(300_000)
    stack.raw("alice").request("PUT", f"/{bucket}/vanishing", body)
    copies = sorted(path for path in stack.stored() if "vanishing" in path)
    import os

    for path in copies[:1]:
        os.unlink(path)
    for _ in range(10):
        assert stack.raw("alice").request("GET", f"/{bucket}/vanishing").body == body


def test_an_object_whose_bytes_are_damaged_is_cut_or_refused_and_never_served_whole(stacks, payload):
    stack = stacks.files()
    stack.start()
    bucket = stack.new_bucket("alice")
    body = payload(300_000)
    stack.raw("alice").request("PUT", f"/{bucket}/damaged", body)
    (path,) = [path for path in stack.stored() if "damaged" in path and stack.stored()[path] == len(body)]
    with open(path, "r+b") as file:
        file.truncate(200_000)
    answer = stack.raw("alice").request("GET", f"/{bucket}/damaged")
    assert answer.status >= 500 or answer.truncated, (answer.status, len(answer.body))


@pytest.mark.timeout(120)
def test_a_backend_with_a_certificate_nobody_vouches_for_is_not_used(stacks, radosgw, authority):
    from dataclasses import replace

    from support.certificates import Authority

    stack = stacks.bare()
    other = Authority(stacks.directory("other-ca"))
    secret = stack.directory / "secret"
    secret.write_text(radosgw["r1"].secret_access_key)
    secret.chmod(0o600)
    words = [
        "backend",
        "add",
        "untrusted",
        "--type",
        "s3",
        "--endpoint",
        radosgw["r1"].tls_endpoint,
        "--signing-region",
        "r1",
        "--addressing",
        "path",
        "--access-key-id",
        radosgw["r1"].access_key_id,
        "--secret-file",
        secret,
        "--country",
        "FI",
        "--region",
        "fi-x-1",
    ]
    for extra in ([], ["--ca-file", other.ca]):
        result = stack.cli(*words, *extra)
        assert result.returncode != 0, "a backend that cannot be trusted was added without a word"
        assert "certificate" in (result.stdout + result.stderr).lower()
    assert stack.cli(*words, "--ca-file", authority.ca).returncode == 0
    assert replace(radosgw["r1"]).secret_access_key not in result.stdout + result.stderr
