"""`explain`, `whatif`, `replication status` and `policy set --dry-run`: what they say is what then happens."""

import json

import pytest

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}


@pytest.fixture(scope="module")
def world(authority):
    from conftest import file_stack, running, temporary_directory

    with temporary_directory("ask") as directory, running(file_stack(directory, authority)) as stack:
        stack.set_policy(TWO, "--tenant", "alice")
        stack.bucket = stack.new_bucket("alice")
        for number in range(4):
            assert stack.raw("alice").request("PUT", f"/{stack.bucket}/key-{number}", b"x" * 1000).status == 200
        yield stack


def by_name(rows, name="name"):
    return {row[name]: row for row in rows}


def test_status_says_what_is_behind_and_that_it_is_not_any_more(world):
    before = world.s3gw_json("replication", "status")
    assert (before["versionsBehind"], before["copiesBehind"], before["bytesBehind"]) == (4, 4, 4000)
    assert before["oldest"] and before["secondsLeft"] is None and before["deadJobs"] == 0
    assert sum(row["versionsBehind"] for row in before["backends"]) == 4
    text = world.s3gw("replication", "status")
    assert "4 versions, 4 copies of 4000 bytes" in text and len(text.splitlines()) < 24
    world.worker_once()
    after = world.s3gw_json("replication", "status")
    assert (after["versionsBehind"], after["copiesBehind"], after["oldest"]) == (0, 0, None)
    assert sum(row["versionsLately"] for row in after["backends"]) == 4
    assert "nothing" in world.s3gw("replication", "status")


def test_explain_put_says_what_then_happens(world):
    told = world.s3gw_json("explain", "PUT", f"{world.bucket}/new/key", "--size", 5)
    verdicts = {name: row["verdict"] for name, row in by_name(told["backends"]).items()}
    assert sorted(verdicts.values()) == ["spare", "target", "target"]
    assert world.raw("alice").request("PUT", f"/{world.bucket}/new/key", b"12345").status == 200
    world.worker_once()
    shown = world.s3gw_json("object", "show", world.bucket, "new/key", "--tenant", "alice")
    stored = {replica["backend"] for replica in shown["versions"][0]["replicas"]}
    assert stored == {name for name, verdict in verdicts.items() if verdict == "target"}
    world.raw("alice").request("DELETE", f"/{world.bucket}/new/key")
    world.worker_once()


def test_explain_put_names_the_rule_that_keeps_a_backend_out(world):
    bucket = world.new_bucket("alice")
    world.set_policy({"residency": {"deny": ["country:FR"]}}, "--bucket", bucket)
    told = world.s3gw_json("explain", "PUT", f"{bucket}/k")
    france = by_name(told["backends"])["fr"]
    assert france["verdict"] == "refused" and france["rule"] == "bucket.residency.deny"
    assert told["replicaCount"] == 2 and told["refused"] is None
    refused = world.cli("explain", "PUT", f"{bucket}/k", "--tags", "replica-count=3", "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["refused"]["rule"] == "bucket.residency.deny"
    assert "fr" in world.s3gw("explain", "put", f"{bucket}/k")


def test_explain_get_gives_the_read_order_and_why_not_the_others(world):
    told = world.s3gw_json("explain", "GET", f"{world.bucket}/key-0")
    assert [row["order"] for row in told["replicas"]] == [1, 2]
    first = told["replicas"][0]["backend"]
    for row in told["replicas"]:
        near = world.s3gw_json("explain", "GET", f"{world.bucket}/key-0", "--near", f"country:{row['country']}")
        assert near["replicas"][0]["backend"] == row["backend"], "the nearest is asked first"
    world.s3gw("backend", "set-state", first, "offline")
    try:
        after = world.s3gw_json("explain", "GET", f"{world.bucket}/key-0")
        rows = by_name(after["replicas"], "backend")
        assert rows[first]["order"] is None and "offline" in rows[first]["reason"]
        assert rows[told["replicas"][1]["backend"]]["order"] == 1
        assert world.raw("alice").request("GET", f"/{world.bucket}/key-0").status == 200
    finally:
        world.s3gw("backend", "set-state", first, "active")
    assert world.cli("explain", "GET", f"{world.bucket}/no-such-key").returncode == 1
    assert world.cli("explain", "GET", f"{world.bucket}/key-0", "--version-id", "null").returncode == 0
    assert world.cli("explain", "GET", f"{world.bucket}/key-0", "--version-id", "?").returncode == 2


def test_whatif_counts_what_moves(world):
    told = json.loads(world.cli("whatif", "--without", "fi", "--json").stdout)
    shown = [world.s3gw_json("object", "show", world.bucket, f"key-{n}", "--tenant", "alice") for n in range(4)]
    held = sum(any(r["backend"] == "fi" for r in each["versions"][0]["replicas"]) for each in shown)
    row = by_name(told["buckets"], "bucket")[world.bucket]
    assert held and told["without"] == ["fi"] and not row["breaks"]
    assert (row["versionsToMove"], row["copiesToMake"], row["bytesToMove"]) == (held, held, held * 1000)
    again = json.loads(world.cli("whatif", "--without", "country:FI", "--json").stdout)
    assert again["copiesToMake"] == told["copiesToMake"] == held
    assert world.cli("whatif", "--without", "nobody").returncode == 1
    assert world.cli("whatif", "--without", "country:SE").returncode == 1
    assert world.cli("whatif").returncode == 2
    # Exit code 1 would be a finding.
    assert world.cli("whatif", "--without", "contry:DE").returncode == 2


def test_whatif_names_the_buckets_that_would_break(world):
    bucket = world.new_bucket("alice")
    world.set_policy({"residency": {"allow": ["country:FI", "country:DE"]}}, "--bucket", bucket)
    result = world.cli("whatif", "--without", "country:DE", "--json")
    assert result.returncode == 1
    broken = by_name([row for row in json.loads(result.stdout)["buckets"] if row["breaks"]], "bucket")
    assert broken[bucket]["rule"] and "needed" in broken[bucket]["explanation"] and world.bucket not in broken
    assert bucket in world.cli("whatif", "--without", "country:DE").stdout
    assert world.s3gw_json("backend", "show", "de")["state"] == "active", "nothing was changed"


def test_a_dry_run_says_what_a_policy_would_do_and_changes_nothing(world):
    before = world.s3gw_json("policy", "show", "--tenant", "alice")
    harmless = json.dumps({"residency": {"deny": ["country:FR"]}, **TWO})
    told = world.s3gw_json("policy", "set", "--bucket", world.bucket, "--dry-run", "-", input=harmless)
    shown = [world.s3gw_json("object", "show", world.bucket, f"key-{n}", "--tenant", "alice") for n in range(4)]
    held = sum(any(r["backend"] == "fr" for r in each["versions"][0]["replicas"]) for each in shown)
    assert told["isDryRun"] and told["brokenBuckets"] == 0 and told["copiesToMake"] == held
    breaking = json.dumps({"residency": {"allow": ["country:FI"]}, **TWO})
    result = world.cli("policy", "set", "--tenant", "alice", "--dry-run", "-", "--json", input=breaking)
    assert result.returncode == 1
    assert world.bucket in [row["bucket"] for row in json.loads(result.stdout)["buckets"] if row["breaks"]]
    assert world.s3gw_json("policy", "show", "--tenant", "alice") == before
    assert world.cli("policy", "show", "--bucket", world.bucket).returncode == 1


@pytest.mark.parametrize("words", [["explain"], ["explain", "PUT", "no-slash"], ["explain", "POST", "a/b"]])
def test_usage(world, words):
    assert world.cli(*words).returncode == 2


@pytest.mark.parametrize("words", [["explain"], ["whatif"], ["replication", "status"], ["attest"]])
def test_help_has_examples(world, words):
    assert "Example" in world.s3gw(*words, "--help")
