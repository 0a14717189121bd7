"""A store that has moved, or has other credentials: the backend stays the same one, and another store is refused."""

import dataclasses
import json
import secrets

import pytest
from support.processes import wait_until
from support.recovery import rebuild, settle, worker
from support.tcpproxy import TCPProxy

FINLAND = {"residency": {"allow": ["country:FI"]}}


def put_some(stack, bucket, count=3):
    for number in range(count):
        answer = stack.raw("alice").request("PUT", f"/{bucket}/key-{number}", b"content %d" % number)
        assert answer.status == 200, answer.body


def reads(stack, bucket, count=3):
    for number in range(count):
        answer = stack.raw("alice").request("GET", f"/{bucket}/key-{number}")
        assert (answer.status, answer.body) == (200, b"content %d" % number)
    return True


def test_a_directory_that_was_moved(stacks):
    stack = stacks.files()
    stack.set_policy(FINLAND, "--tenant", "alice")
    stack.start()
    bucket = stack.new_bucket("alice")
    put_some(stack, bucket)
    settle(stack)
    new = stack.backends["fi"].with_name("moved")
    other = stack.directory / "empty"
    other.mkdir()
    for path, words in ((other, "none of the 3 objects"), (stack.backends["de"], "directory of backend de")):
        refused = stack.cli("backend", "update", "fi", "--path", path)
        assert refused.returncode == 1 and words in refused.stderr, refused
    stack.backends["fi"].rename(new)
    refused = stack.cli("backend", "update", "fi", "--path", stack.directory / "nowhere")
    assert refused.returncode == 1 and "Nothing was changed" in refused.stderr
    shown = stack.s3gw_json("backend", "update", "fi", "--path", new)
    assert shown["path"] == str(new) == stack.s3gw_json("backend", "show", "fi")["path"]
    reads(stack, bucket)
    put_some(stack, bucket)
    assert stack.s3gw_json("attest", "--verify")["isGood"] and stack.cli("attest", bucket).returncode == 0
    for words in (["--endpoint", "https://s3.example.net"], []):
        assert stack.cli("backend", "update", "fi", *words).returncode == 2


@pytest.mark.timeout(180)
def test_a_store_that_moved_and_whose_credentials_were_changed(stacks, radosgw):
    stack = stacks.bare()
    proxy = TCPProxy(("127.0.0.1", int(radosgw["r1"].endpoint.rpartition(":")[2])))
    stacks.exits.callback(proxy.close)
    away = dataclasses.replace(radosgw["r1"], endpoint=proxy.endpoint)
    stack.add_s3_backend("fi", away, "FI")
    stack.add_s3_backend("de", radosgw["r2"], "DE")
    stack.create_tenant("alice", FINLAND)
    stack.start(workers=1)
    bucket = stack.new_bucket("alice")
    put_some(stack, bucket)
    proxy.die()
    assert stack.raw("alice").request("GET", f"/{bucket}/key-0").status == 503

    def update(*words, secret=radosgw["r1"].secret_access_key):
        return stack.cli("backend", "update", "fi", *words, environment={"S3GW_BACKEND_SECRET": secret})

    # Another store, another one's place, another one's credentials, a store that is not there.
    id = radosgw["r1"].access_key_id
    for words, secret, told in (
        (["--endpoint", radosgw["r2"].endpoint, "--signing-region", "r2"], "", "Backend de has this endpoint"),
        (["--endpoint", radosgw["r3"].endpoint, "--signing-region", "r3"], "", "none of the 3 objects"),
        (["--endpoint", radosgw["r1"].endpoint, "--access-key-id", id], secrets.token_hex(20), "SignatureDoesNotMatch"),
        (["--endpoint", "http://127.0.0.1:9"], "", "Nothing was changed"),
    ):
        refused = update(*words, secret=secret)
        assert refused.returncode == 1 and told in refused.stderr and not refused.stdout, refused
    refused = update("--access-key-id", id, "--json", secret="short")
    assert refused.returncode == 2 and "printable" in json.loads(refused.stdout)["error"]
    assert stack.s3gw_json("backend", "show", "fi")["endpoint"] == away.endpoint

    moved = update("--endpoint", radosgw["r1"].endpoint, "--access-key-id", id, "--json")
    assert moved.returncode == 0 and json.loads(moved.stdout)["endpoint"] == radosgw["r1"].endpoint
    assert radosgw["r1"].secret_access_key not in moved.stdout
    wait_until(lambda: reads(stack, bucket), "the processes that run read from there", 30)
    put_some(stack, bucket)


def test_secrets_are_sealed_again_and_the_older_master_key_is_needed_no_more(stacks):
    stack = stacks.files()
    stack.start()
    bucket = stack.new_bucket("alice")
    put_some(stack, bucket)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    stack.boto3("alice").put_object_tagging(Bucket=bucket, Key="key-0", Tagging=tags)
    settle(stack)
    assert stack.cli("reseal", "--check").returncode == 0
    key = stack.directory / "master.key"
    old = key.read_text()
    key.chmod(0o600)
    key.write_text(f"k2:{secrets.token_hex(32)}\n" + old)
    stack.stop()
    stack.start()
    needed = stack.cli("reseal", "--check", "--json")
    assert needed.returncode == 1 and json.loads(needed.stdout)["secretsUnderFormerKeys"] >= 4
    told = stack.s3gw_json("reseal")
    assert told["activeKey"] == "k2" and told["secretsUnderFormerKeys"] == 0 and told["resealed"] >= 4
    reads(stack, bucket)
    assert worker(stack, "reconcile").returncode in (0, 1)
    settle(stack)
    assert json.loads(stack.cli("reseal", "--check", "--json").stdout)["recordsUnderFormerKeys"] == 0
    assert stack.cli("reseal", "--check").returncode == 0
    # Without the old key: clients, new secrets, the attestation key, and a rebuild.
    key.write_text(key.read_text().splitlines()[0] + "\n")
    stack.stop()
    stack.start()
    reads(stack, bucket)
    assert stack.s3gw_json("attest", "--verify")["isGood"]
    stack.stop()
    for path in stack.directory.glob("s3gw.db*"):
        path.unlink()
    stack.s3gw("init")
    stack.add_file_backend("fi", "FI", "--jurisdiction", "EU")
    refused = worker(stack, "rebuild", "--without", "nosuch")
    assert refused.returncode == 3 and "there is no backend nosuch" in refused.stderr and "de, fi, fr" in refused.stderr
    print(rebuild(stack))
    stack.start()
    reads(stack, bucket)
    assert stack.boto3("alice").get_object_tagging(Bucket=bucket, Key="key-0")["TagSet"] == tags["TagSet"]


def test_a_certification_that_ends_is_asked_about_first_and_what_is_stored_follows(stacks):
    stack = stacks.files()
    stack.start()
    words = ("backend", "set-location")
    assert stack.cli(*words, "fi").returncode == 2 and stack.cli(*words, "fi", "--country", "fi").returncode == 2
    certified = stack.s3gw_json(*words, "fi", "--certification", "iso27001", "--certification", "c5")
    assert certified["certifications"] == ["iso27001", "c5"] and certified["isChanged"]
    assert (certified["country"], certified["jurisdictions"]) == ("FI", ["EU"]), "what is not named stays"
    stack.set_policy({"residency": {"require": ["iso27001"]}}, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    put_some(stack, bucket)
    for extra in ([], ["--dry-run"]):
        refused = stack.cli(*words, "fi", "--certification", "none", "--json", *extra)
        told = json.loads(refused.stdout)
        assert refused.returncode == 1 and bucket in refused.stderr and not told["isChanged"], refused
        assert told["brokenBuckets"] == 1
    assert stack.s3gw_json("backend", "show", "fi")["certifications"] == ["iso27001", "c5"]
    # With another place for them they go there.
    stack.s3gw(*words, "de", "--certification", "iso27001")
    moved = stack.s3gw_json(*words, "fi", "--certification", "none")
    assert moved["certifications"] == [] and moved["isChanged"]
    settle(stack)
    for number in range(3):
        shown = stack.s3gw_json("object", "show", bucket, f"key-{number}", "--tenant", "alice")
        assert [(each["backend"], each["state"]) for each in shown["versions"][0]["replicas"]] == [("de", "present")]
    reads(stack, bucket)
    assert stack.cli("attest", bucket).returncode == 0, "each byte was where the policy of its time allowed it"
    assert stack.s3gw_json("attest", "--verify")["isGood"]
