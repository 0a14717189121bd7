"""A backend's life: drained to the end and removed, refused, lost with and without other copies, and brought back."""

import json

import pytest

from support.processes import wait_until

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 2}}
FINLAND = {"residency": {"allow": ["country:FI"]}}


def fill(stack, bucket, count, size=2000, prefix="key"):
    raw = stack.raw("alice")
    bodies = {f"{prefix}-{number}": bytes([number % 251]) * size for number in range(count)}
    for key, body in bodies.items():
        assert raw.request("PUT", f"/{bucket}/{key}", body).status == 200
    return bodies


def reads(stack, bucket, bodies):
    for key, body in bodies.items():
        answer = stack.raw("alice").request("GET", f"/{bucket}/{key}")
        assert (answer.status, answer.body) == (200, body), key


def places(stack, bucket, key):
    shown = stack.s3gw_json("object", "show", bucket, key, "--tenant", "alice")
    return {each["backend"]: each["state"] for each in shown["versions"][0]["replicas"]}


@pytest.fixture(params=["file", "radosgw"])
def stack(request, stacks):
    """Three backends in three countries, alice with two copies of everything."""
    if request.param == "file":
        stack = stacks.files()
    else:
        stack = stacks.over(request.getfixturevalue("radosgw"))
    stack.set_policy(TWO, "--tenant", "alice")
    return stack.start()


@pytest.mark.timeout(180)
def test_a_backend_is_drained_to_the_end_and_removed(stack):
    bucket = stack.new_bucket("alice")
    bodies = fill(stack, bucket, 25)
    (upload,) = [stack.boto3("alice").create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]]
    stack.boto3("alice").abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload)
    stack.worker_once()
    held = sum("de" in places(stack, bucket, key) for key in bodies)
    assert held > 0
    refused = stack.cli("backend", "remove", "de")
    assert refused.returncode == 1 and "still holds" in refused.stderr and "drain" in refused.stderr

    begun = stack.s3gw_json("backend", "drain", "de")
    assert begun["state"] == "draining" and begun["brokenBuckets"] == 0
    assert begun["drain"]["versionsLeft"] == begun["drain"]["versionsAtStart"] == held
    assert begun["drain"]["bytesLeft"] == held * 2000 and begun["versionsToMove"] == held
    shown = stack.s3gw_json("backend", "show", "de")
    assert shown["state"] == "draining" and shown["drain"]["versionsLeft"] == held
    reads(stack, bucket, bodies)
    more = fill(stack, bucket, 5, prefix="more")
    assert all("de" not in places(stack, bucket, key) for key in more), "nothing new comes there"

    stack.start_worker()
    wait_until(
        lambda: stack.s3gw_json("backend", "show", "de")["drain"]["isEmpty"], "the backend is empty", 120, pause=0.3
    )
    watched = stack.s3gw("backend", "drain", "de", "--watch", "--interval", 1)
    assert "s3gw backend remove de" in watched
    for key in (*bodies, *more):
        found = places(stack, bucket, key)
        assert sorted(found) == ["fi", "fr"] and set(found.values()) == {"present"}, (key, found)
    reads(stack, bucket, bodies | more)
    if "de" in stack.backends and hasattr(stack.backends["de"], "rglob"):
        assert not [path for path in stack.stored("de") if "key-" in path or "more-" in path]
    assert stack.cli("attest", bucket).returncode == 0
    assert stack.s3gw_json("attest", "--verify")["isGood"]
    stack.s3gw("backend", "remove", "de")
    assert "de" not in [row["name"] for row in stack.s3gw_json("backend", "list")]
    reads(stack, bucket, bodies | more)


def test_a_drain_that_can_never_finish_says_so_at_once_and_changes_nothing(stacks):
    stack = stacks.files()
    stack.set_policy(FINLAND, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    bodies = fill(stack, bucket, 3)
    refused = stack.cli("backend", "drain", "fi")
    assert refused.returncode == 1 and "never finish" in refused.stderr
    assert bucket in refused.stderr and "alice" in refused.stderr
    refused = stack.cli("backend", "drain", "fi", "--json")
    told = json.loads(refused.stdout)
    assert refused.returncode == 1 and (told["name"], told["state"], told["brokenBuckets"]) == ("fi", "active", 1)
    assert [row["bucket"] for row in told["buckets"] if row["breaks"]] == [bucket]
    assert stack.s3gw_json("backend", "show", "fi")["state"] == "active"

    begun = stack.cli("backend", "drain", "fi", "--anyway", "--json")
    assert begun.returncode == 1 and json.loads(begun.stdout)["brokenBuckets"] == 1
    stack.worker_once(leaves_work=False)
    assert places(stack, bucket, "key-0") == {"fi": "present"}, "nothing is removed that is nowhere else"
    assert stack.cli("backend", "remove", "fi").returncode == 1
    # Asked again it says the same, and foretells no end.
    for words in ((), ("--watch",)):
        again = stack.cli("backend", "drain", "fi", *words)
        assert again.returncode == 1 and "cannot finish" in again.stderr and bucket in again.stderr, again
        assert "no estimate yet" in again.stdout, again.stdout
    reads(stack, bucket, bodies)
    stack.s3gw("backend", "activate", "fi")
    assert stack.raw("alice").request("PUT", f"/{bucket}/again", b"x").status == 200


def test_an_empty_backend_that_a_policy_needs_is_not_removed(stacks):
    stack = stacks.files()
    stack.set_policy({"replicas": {"count": 3, "distinct": "country", "acknowledge": 1}}, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    refused = stack.cli("backend", "remove", "fr")
    assert refused.returncode == 1 and bucket in refused.stderr and "kept" in refused.stderr
    # Its physical bucket has to go first.
    assert stack.cli("backend", "drain", "fr", "--anyway").returncode == 1
    stack.worker_once()
    assert stack.cli("backend", "remove", "fr").returncode == 1
    stack.s3gw("backend", "remove", "fr", "--anyway")
    assert stack.stored("fr") == {} or not [path for path in stack.stored("fr") if "/s3gw-" in path]


@pytest.mark.timeout(120)
def test_what_a_lost_backend_held_is_made_elsewhere_from_the_others(stacks):
    stack = stacks.files()
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    bodies = fill(stack, bucket, 20)
    held = [key for key in bodies if "de" in places(stack, bucket, key)]
    assert held
    stack.backends["de"].rename(stack.directory / "gone")

    lost = stack.s3gw_json("backend", "lost", "de")
    assert lost["versionsWithoutReplica"] == 0 and lost["versions"] == []
    assert lost["copiesToMake"] == len(held) and lost["bytesToMove"] == len(held) * 2000
    reads(stack, bucket, bodies)
    stack.start_worker()
    wanted = {"fi": "present", "fr": "present"}
    wait_until(lambda: all(places(stack, bucket, key) == wanted for key in bodies), "every copy is elsewhere", 60)
    assert stack.s3gw_json("attest", "--verify")["isGood"]
    told = json.loads(stack.s3gw("attest", bucket, "--json"))["attestation"]
    states = [place["state"] for version in told["versions"] for place in version["places"] if place["backend"] == "de"]
    assert states == ["dropped"] * len(held)
    stack.s3gw("backend", "remove", "de")
    reads(stack, bucket, bodies)


def test_versions_whose_only_copy_is_lost_are_listed_loudly_and_come_back_with_the_backend(stacks):
    stack = stacks.files()
    stack.start()
    bucket = stack.new_bucket("alice")
    bodies = fill(stack, bucket, 4)
    ((holder,),) = {tuple(places(stack, bucket, key)) for key in bodies}
    directory = stack.backends[holder]
    away = stack.directory / "away"
    directory.rename(away)

    result = stack.cli("backend", "lost", holder, "--json")
    assert result.returncode == 1 and "only replica" in result.stderr
    told = json.loads(result.stdout)
    assert told["versionsWithoutReplica"] == 4 and told["bytesWithoutReplica"] == 8000
    assert sorted(each["key"] for each in told["versions"]) == sorted(bodies)
    assert {each["bucket"] for each in told["versions"]} == {bucket}
    again = stack.cli("backend", "lost", holder, "--list", 1)
    assert again.returncode == 1 and "WITHOUT ANY REPLICA NOW: 4" in again.stdout and "and 3 more" in again.stdout
    stack.s3gw("backend", "activate", holder)
    stack.set_policy({"replicas": {"count": 3, "distinct": "country", "acknowledge": 1}}, "--tenant", "alice")
    both = stack.cli("backend", "lost", holder)
    assert "only replica" in both.stderr and "cannot have all their replicas" in both.stderr and bucket in both.stderr
    stack.s3gw("policy", "remove", "--tenant", "alice")
    assert stack.raw("alice").request("GET", f"/{bucket}/key-0").status == 503
    assert stack.cli("backend", "remove", holder).returncode == 1
    assert stack.cli("backend", "drain", holder).returncode == 1
    assert stack.raw("alice").request("PUT", f"/{bucket}/new", b"x").status == 200

    away.rename(directory)
    assert "reconcile" in stack.s3gw("backend", "activate", holder)
    reads(stack, bucket, bodies)


def test_two_backends_do_not_share_a_directory(stacks):
    stack = stacks.files()
    words = ("--type", "file", "--region", "fi-2", "--country", "FI", "--path", stack.backends["fi"])
    refused = stack.cli("backend", "add", "twin", *words)
    assert refused.returncode == 1 and "directory of backend fi" in refused.stderr, refused


def test_what_waits_for_a_backend_is_hurried_when_it_is_back(stacks):
    stack = stacks.files()
    stack.set_policy({"replicas": {"count": 3, "distinct": "country", "acknowledge": 1}}, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    away = stack.directory / "away"
    stack.backends["de"].rename(away)
    fill(stack, bucket, 2)
    stack.worker_once(leaves_work=True)
    waiting = stack.s3gw_json("jobs", "list")
    assert {job["backend"] for job in waiting} == {"de"} and all(job["lastError"] for job in waiting), waiting
    away.rename(stack.backends["de"])
    assert stack.s3gw_json("jobs", "retry", "--all") == {"retried": len(waiting)}
    assert {job["id"] for job in stack.s3gw_json("jobs", "list")} == {job["id"] for job in waiting}
    assert all(after["notBefore"] < before["notBefore"] for before, after in zip(waiting, stack.s3gw_json("jobs", "list")))
    assert stack.s3gw_json("jobs", "retry", "--all") == {"retried": 0}, "what is due already is left alone"
    stack.worker_once()
    assert places(stack, bucket, "key-1") == dict.fromkeys(("fi", "de", "fr"), "present")


def test_lost_is_no_state_to_be_set_by_the_way(gateway):
    assert gateway.cli("backend", "set-state", "fi", "lost").returncode == 2
    for verb in ("drain", "lost", "activate", "remove"):
        assert "s3gw backend" in gateway.s3gw("backend", verb, "--help")
        assert gateway.cli("backend", verb, "no-such-backend").returncode == 1
