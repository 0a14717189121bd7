"""Writes when a backend fails in the middle: another takes its place, and what may have arrived is removed again."""

import json

import pytest

from support.processes import wait_until
from support.rclone import Rclone
from support.tcpproxy import TCPProxy

MARK = b"marked-"


@pytest.fixture
def stores(stacks):
    """Two stores; `a` is reached through a proxy."""
    directory = stacks.directory("stores")
    found = {}
    for name in ("a", "b"):
        found[name] = Rclone(name, directory / name)
        stacks.exits.callback(found[name].stop)
    found["proxy"] = TCPProxy(("127.0.0.1", found["a"].port))
    stacks.exits.callback(found["proxy"].close)
    return found


@pytest.fixture
def stack(stacks, stores):
    stack = stacks.bare(lease_seconds=5)
    stack.add_s3_backend("a", stores["a"].at(stores["proxy"].endpoint), "FI", region="fi-1")
    stack.add_s3_backend("b", stores["b"], "DE", region="de-1")
    stack.create_tenant("alice", {"replicas": {"count": 1, "order": ["fi-1", "de-1"]}})
    return stack.start()


def objects(store):
    """The names of the objects of that store that a test made."""
    return [path.name for path in store.directory.rglob("*marked-*") if path.is_file()]


def jobs(stack):
    return stack.s3gw_json("jobs", "list")


def test_an_object_that_arrived_unheard_of_is_removed_again(stack, stores, payload):
    bucket, raw, body = stack.new_bucket("alice"), stack.raw("alice"), payload(30_000)
    assert raw.request("PUT", f"/{bucket}/first", body).status == 200
    stores["proxy"].swallow = MARK
    assert raw.request("PUT", f"/{bucket}/marked-1", body).status == 200
    assert stores["proxy"].swallowed and objects(stores["a"]) and objects(stores["b"])
    assert raw.request("GET", f"/{bucket}/marked-1").body == body
    replicas = stack.s3gw_json("object", "show", bucket, "marked-1", "--tenant", "alice")["versions"][0]["replicas"]
    assert {each["backend"]: each["state"] for each in replicas} == {"a": "removing", "b": "present"}
    stores["proxy"].swallow = None
    stack.worker_once()
    assert not objects(stores["a"]) and len(objects(stores["b"])) == 1
    assert jobs(stack) == []


def test_a_write_that_failed_as_a_whole_leaves_nothing_behind(stack, stores, payload):
    stack.set_policy({"replicas": {"count": 2, "acknowledge": "all", "order": ["fi-1", "de-1"]}}, "--tenant", "alice")
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    assert raw.request("PUT", f"/{bucket}/first", b"x").status == 200
    stores["proxy"].swallow = MARK
    answer = raw.request("PUT", f"/{bucket}/marked-2", payload(30_000))
    assert answer.status == 503, answer.body
    assert objects(stores["a"]) and objects(stores["b"])
    assert raw.request("GET", f"/{bucket}/marked-2").status == 404
    stores["proxy"].swallow = None
    stack.start_worker()
    wait_until(lambda: jobs(stack) == [], "the worker has cleared both", 60)
    assert not objects(stores["a"]) and not objects(stores["b"])


@pytest.mark.parametrize("spare", ["y", None])
def test_replicas_that_are_acknowledged_keep_the_rules_together_when_one_backend_fails(stacks, payload, spare):
    """`b` has the bytes when `a` fails: the next in order may not stand beside it."""
    places = {"a": ("FI", "p"), "x": ("DE", "p"), "b": ("DE", "q"), "y": ("SE", "r")}
    if not spare:
        del places["y"]
    stack = stacks.bare(processes=1)
    for name, (country, provider) in places.items():
        stack.add_file_backend(name, country, "--provider", provider, region=name)
    rules = {"count": 2, "distinct": "country", "acknowledge": "all", "order": ["a", "x", "b", "y"]}
    stack.create_tenant("alice", {"replicas": rules})
    stack.start()
    bucket, raw, body = stack.new_bucket("alice"), stack.raw("alice"), payload(30_000)
    stack.set_policy({"replicas": {"distinct": "provider"}}, "--bucket", bucket, "--tenant", "alice")
    assert raw.request("PUT", f"/{bucket}/first", body).status == 200
    (stack.backends["a"] / ".s3gw-tmp").rename(stack.backends["a"] / "away")
    answer = raw.request("PUT", f"/{bucket}/second", body)
    if not spare:
        assert answer.status == 503 and answer.header("Retry-After")
        return
    assert answer.status == 200, answer.body
    replicas = stack.s3gw_json("object", "show", bucket, "second", "--tenant", "alice")["versions"][0]["replicas"]
    assert {each["backend"] for each in replicas if each["state"] == "present"} == {"b", "y"}
    assert raw.request("GET", f"/{bucket}/second").body == body


def test_the_presets_say_where_copies_are(stacks, payload):
    stack = stacks.bare()
    for name, country, region in (("a", "FI", "r1"), ("b", "FI", "r1"), ("c", "DE", "r2"), ("d", "FR", "r3")):
        stack.add_file_backend(name, country, region=region)
    stack.create_tenant("alice")
    stack.s3gw("policy", "set", "--tenant", "alice", "--preset", "standard")
    stack.start()
    bucket = stack.new_bucket("alice")

    def holders(key):
        assert stack.raw("alice").request("PUT", f"/{bucket}/{key}", payload(100)).status == 200
        stack.worker_once()
        return "".join(name for name in "abcd" if any(key in path for path in stack.stored(name)))

    assert holders("three") == "abc"
    stack.set_policy({"preset": "regional"}, "--tenant", "alice")
    assert holders("two") == "ab"
    stack.worker_once()
    assert "".join(name for name in "abcd" if any("three" in path for path in stack.stored(name))) == "ab"


def test_a_policy_that_makes_buckets_unplaceable_says_so(stacks):
    stack = stacks.files()
    stack.start()
    good, bad = stack.new_bucket("alice"), stack.new_bucket("alice")
    stack.set_policy({"residency": {"allow": ["country:DE"]}}, "--bucket", bad, "--tenant", "alice")
    policy = json.dumps({"residency": {"allow": ["country:FI"]}})
    told = json.loads(stack.s3gw("policy", "set", "--tenant", "alice", "-", "--json", input=policy))
    assert [row["bucket"] for row in told["unplaceable"]] == [bad] != [good]
    assert told["unplaceable"][0]["rule"] == "bucket.residency.allow"
    told = stack.cli("policy", "set", "--tenant", "alice", "-", input=policy)
    assert told.returncode == 0 and bad not in told.stdout, "what is wrong is a message, not a result"
    assert bad in told.stderr and good not in told.stderr
