"""Everybody sees a sick backend: in the database, in `s3gw status`, and by what is left alone."""

import time

import pytest

from support.processes import wait_until
from support.rclone import Rclone
from support.tcpproxy import TCPProxy


@pytest.fixture
def world(stacks):
    """A stack with a file backend fi and an rclone de behind a proxy, and a worker that checks twice a second."""
    stack = stacks.bare(health_check_interval="500ms", processes=1)
    stack.add_file_backend("fi", "FI")
    store = Rclone("de", stacks.directory("rclone") / "de")
    stacks.exits.callback(store.stop)
    proxy = TCPProxy(("127.0.0.1", store.port))
    stacks.exits.callback(proxy.close)
    stack.add_s3_backend("de", store.at(proxy.endpoint), "DE")
    stack.create_tenant("alice", {"replicas": {"count": 1, "order": ["de-de-1", "fi-fi-1"]}})
    return stack.start(workers=1), proxy


def health(stack, name):
    (row,) = [row for row in stack.s3gw_json("status")["backends"] if row["name"] == name]
    return row["health"]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("sickness", ["refuses", "hangs", "forgets our key"])
def test_a_sick_backend_is_seen_by_all_and_well_again_when_it_is(world, sickness):
    stack, proxy = world
    wait_until(lambda: health(stack, "de")["isHealthy"] and health(stack, "fi")["isHealthy"], "both are checked")
    assert health(stack, "de")["checkMilliseconds"] is not None
    denied = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
    match sickness:
        case "refuses":
            proxy.die()
        case "hangs":
            proxy.silent = True
        case _:
            proxy.answer = b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n%s" % (len(denied), denied)
    proxy.reset()
    sick = wait_until(lambda: (seen := health(stack, "de"))["unhealthySince"] and seen, "de is unhealthy", 30)
    assert sick["isHealthy"] is False and sick["failure"]
    assert health(stack, "fi")["isHealthy"]
    assert "unhealthy for" in stack.s3gw("backend", "list")
    proxy.close()
    proxy.revive()
    wait_until(lambda: health(stack, "de")["isHealthy"], "de is well again", 15)
    assert health(stack, "de")["failure"] is None


@pytest.mark.timeout(120)
def test_a_process_that_met_no_failure_yet_leaves_a_sick_backend_alone_and_comes_back(world, payload):
    stack, proxy = world
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    assert raw.request("PUT", f"/{bucket}/first", payload(1000)).status == 200
    # The worker writes the configuration's documents by temporary files.
    assert not [path for path in stack.stored("fi") if "/.s3gw-tmp/" not in path], "de is the first choice"
    proxy.silent = True
    proxy.reset()
    wait_until(lambda: health(stack, "de")["openBreakers"] == 2, "the pool, too, has heard of it and asked", 60)
    started = time.monotonic()
    for number in range(5):
        assert raw.request("PUT", f"/{bucket}/later-{number}", payload(1000)).status == 200
    assert time.monotonic() - started < 4, "no request waited for the sick backend"
    assert len([path for path in stack.stored("fi") if "later" in path]) >= 5
    proxy.close()
    proxy.revive()

    def used_again():
        asked = proxy.requests_seen
        assert raw.request("PUT", f"/{bucket}/again", payload(1000)).status == 200
        return proxy.requests_seen > asked and not health(stack, "de")["unhealthySince"]

    wait_until(used_again, "de is the first choice again", 40, pause=0.5)


def test_an_offline_backend_is_not_judged(world):
    stack, proxy = world
    wait_until(lambda: health(stack, "de")["checkedAt"], "de was checked")
    proxy.die()
    wait_until(lambda: health(stack, "de")["unhealthySince"], "de is unhealthy", 30)
    stack.s3gw("backend", "set-state", "de", "offline")
    wait_until(lambda: health(stack, "de")["checkedAt"] is None, "nobody asks an offline backend", 15)
