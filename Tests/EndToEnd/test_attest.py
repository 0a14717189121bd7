"""`s3gw attest`: what it says of where bytes are, and what becomes of it when somebody changes the ledger."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import time

import pytest

from support.ledger import Forger, is_whole, rows

EU = {"residency": {"allow": ["country:FI", "country:DE"]}, "replicas": {"count": 2, "distinct": "country"}}


@pytest.fixture(scope="module")
def world(authority):
    """A gateway with a bucket that has seen something; its database is copied by every test."""
    from conftest import file_stack, running, temporary_directory

    with temporary_directory("attest") as directory, running(file_stack(directory, authority)) as stack:
        stack.set_policy(EU, "--tenant", "alice")
        stack.bucket = stack.new_bucket("alice")
        raw = stack.raw("alice")
        for number in range(4):
            assert raw.request("PUT", f"/{stack.bucket}/key-{number}", b"x" * 100).status == 200
        raw.request("PUT", f"/{stack.bucket}/key-1", b"again")
        raw.request("DELETE", f"/{stack.bucket}/key-2")
        upload = stack.boto3("alice").create_multipart_upload(Bucket=stack.bucket, Key="parts")
        stack.boto3("alice").abort_multipart_upload(Bucket=stack.bucket, Key="parts", UploadId=upload["UploadId"])
        stack.worker_once()
        yield stack


@pytest.fixture
def copy(world, tmp_path):
    """A copy of the database, for tests that change it."""
    path = tmp_path / "copy.db"
    source = sqlite3.connect(world.database_path)
    target = sqlite3.connect(path)
    source.backup(target)
    source.close()
    target.close()
    return path


def attest(world, database, *words):
    return world.cli("attest", *words, "--database", database)


def verify(world, database, *words):
    result = world.cli("attest", "--verify", *words, "--database", database, "--json")
    return result.returncode, json.loads(result.stdout)


def test_each_version_s_places_are_told_with_country_time_and_policy(world):
    result = world.cli("attest", world.bucket, "--json")
    assert result.returncode == 0, result.stderr
    body = json.loads(result.stdout)["attestation"]
    assert body["ledger"]["rows"] > 0 and body["summary"]["violations"] == 0 and body["violations"] == []
    versions = {each["key"]: each for each in body["versions"] if each["state"] == "live"}
    assert sorted(versions) == ["key-0", "key-1", "key-3"]
    for version in versions.values():
        assert {place["country"] for place in version["places"]} == {"FI", "DE"}
        for place in version["places"]:
            assert place["state"] == "present" and place["until"] is None and place["from"] <= place["presentAt"]
            policy = body["policies"][place["policy"]]
            assert policy["tenantPolicy"]["version"] == 1 and policy["tenantPolicy"]["policy"] == EU
    gone = [each for each in body["versions"] if each["state"] == "gone"]
    assert len(gone) == 3, "the overwritten one, the deleted one, and the upload"
    for version in gone:
        assert version["key"] is None
        for place in version["places"]:
            assert place["state"] == "removed" and place["from"] <= place["until"]
    text = world.s3gw("attest", world.bucket)
    assert "no violation" in text and "key-0" in text and "FI" in text


def test_a_third_party_can_check_signature_and_chain(world, tmp_path):
    text = world.s3gw("attest", world.bucket, "--json").encode()
    first, *body, last = text.rstrip(b"\n").split(b"\n")
    assert first == b'{"attestation":'
    signature = json.loads(last.removeprefix(b',"signature":').removesuffix(b"}"))
    digest = hashlib.sha256(b"\n".join(body)).hexdigest()
    assert signature["digest"] == digest
    message = f"s3gw-attestation-1\n{digest}\n{signature['ledgerRows']}\n{signature['ledgerHash']}\n"
    (tmp_path / "message").write_text(message)
    (tmp_path / "signature").write_bytes(bytes.fromhex(signature["signature"]))
    (tmp_path / "key.pem").write_text(world.s3gw("attest", "--public-key"))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "message"]
    checked = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert is_whole(world.database_path)
    assert rows(world.database_path)[signature["ledgerRows"] - 1][8].hex() == signature["ledgerHash"]


def test_an_untouched_ledger_and_attestation_verify(world, tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_text(world.s3gw("attest", world.bucket, "--json"))
    code, report = verify(world, world.database_path, kept)
    assert code == 0 and report["isGood"] and report["findings"] == []
    assert report["signedHeads"] >= 1 and report["replicas"] == 6 and report["rows"] == len(rows(world.database_path))
    assert "checked" in world.s3gw("attest", "--verify")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger SET recorded_at = recorded_at + 1 WHERE sequence = 5",
        "UPDATE ledger SET event = 'removed' WHERE sequence = 6",
        "UPDATE ledger SET event = 'nonsense' WHERE sequence = 6",
        "UPDATE ledger SET backend_id = backend_id + 1 WHERE event = 'present'",
        "UPDATE ledger SET details = CAST('{}' AS BLOB) WHERE event = 'policy-set'",
        "UPDATE ledger SET hash = zeroblob(32) WHERE sequence = 3",
        "DELETE FROM ledger WHERE sequence = 4",
        "DELETE FROM ledger WHERE sequence = 1",
        "DELETE FROM ledger WHERE event = 'removed'",
        "UPDATE ledger SET sequence = CASE sequence WHEN 900004 THEN 5 ELSE 4 END WHERE sequence > 900000",
    ],
)
def test_any_edit_is_found(world, copy, change):
    assert verify(world, copy)[0] == 0
    forger = Forger(copy)
    if "900000" in change:
        forger.run("UPDATE ledger SET sequence = sequence + 900000 WHERE sequence IN (4, 5)")
    forger.run(change)
    forger.close()
    code, report = verify(world, copy)
    assert code == 1 and report["findings"] and not report["isGood"]
    assert "row" in report["findings"][0]
    refused = attest(world, copy, world.bucket)
    assert refused.returncode == 1 and refused.stdout == "", "nothing is attested from a broken ledger"


def test_the_database_itself_refuses_to_change_the_ledger(copy):
    connection = sqlite3.connect(copy)
    for change in ("UPDATE ledger SET event = 'x'", "DELETE FROM ledger", "DELETE FROM ledger_heads"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(change)
    connection.close()


def test_a_tail_that_was_cut_off_is_found_by_the_replicas_and_by_the_signed_heads(world, copy):
    attest(world, copy, world.bucket)
    forger = Forger(copy)
    forger.run("DELETE FROM ledger WHERE sequence > (SELECT MAX(sequence) - 9 FROM ledger)")
    assert is_whole(copy), "the chain alone cannot tell"
    code, report = verify(world, copy)
    assert code == 1
    assert any("the end was cut off" in words for words in report["findings"])
    forger.run("DELETE FROM ledger_heads")
    forger.close()
    code, report = verify(world, copy)
    assert code == 1 and all("version" in words for words in report["findings"])


def test_a_database_taken_back_whole_is_found_only_by_an_attestation_kept_elsewhere(world, copy, tmp_path):
    kept = tmp_path / "kept.json"
    shutil.copy(copy, tmp_path / "old.db")
    forger = Forger(copy)
    now = int(time.time() * 1000)
    ((bucket,),) = forger.run("SELECT id FROM buckets")
    forger.append("granted", bucket, bytes(range(16)), 1, now)
    forger.append("removed", bucket, bytes(range(16)), 1, now)
    forger.close()
    kept.write_text(attest(world, copy, world.bucket, "--json").stdout)
    assert verify(world, copy, kept)[0] == 0
    code, report = verify(world, tmp_path / "old.db")
    assert code == 0, "an older state of the whole database agrees with itself"
    code, report = verify(world, tmp_path / "old.db", kept)
    assert code == 1 and "the end was cut off" in report["findings"][0]


def test_a_ledger_that_was_chained_anew_differs_from_what_was_signed(world, copy):
    attest(world, copy, world.bucket)
    forger = Forger(copy)
    forger.run("UPDATE ledger SET recorded_at = recorded_at - 86400000 WHERE sequence = 5")
    forger.chain_anew()
    forger.close()
    assert is_whole(copy)
    code, report = verify(world, copy)
    assert code == 1 and "rewritten" in report["findings"][0]


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ('"country":"FI"', '"country":"DE"', "text was changed"),
        ('"ledgerRows":', '"ledgerRows":1', "signature is wrong"),
        ('{"attestation":', '{"attestations":', "not one"),
    ],
)
def test_a_changed_attestation_does_not_verify(world, tmp_path, old, new, cause):
    kept = tmp_path / "kept.json"
    text = world.s3gw("attest", world.bucket, "--json")
    assert old in text
    kept.write_text(text.replace(old, new, 1))
    code, report = verify(world, world.database_path, kept)
    assert code == 1 and cause in report["findings"][0]


def test_bytes_that_were_sent_where_policy_did_not_allow_are_a_violation(world, copy):
    forger = Forger(copy)
    ((bucket,),) = forger.run("SELECT id FROM buckets")
    ((version,),) = forger.run("SELECT id FROM versions WHERE state = 'live' LIMIT 1")
    ((france,),) = forger.run("SELECT id FROM backends WHERE country = 'FR'")
    # Long after the policy was set.
    forger.append("granted", bucket, version, france, int(time.time() * 1000) + 7_200_000)
    forger.append("removed", bucket, version, france, int(time.time() * 1000) + 7_200_001)
    forger.close()
    result = attest(world, copy, world.bucket, "--json")
    body = json.loads(result.stdout)["attestation"]
    assert result.returncode == 1
    (violation,) = body["violations"]
    assert violation["kind"] == "arrival" and violation["backend"] == "fr"
    assert violation["rule"] == "tenant.residency.allow" and "matches none of" in violation["reason"]
    assert body["summary"]["violations"] == body["summary"]["arrivals"] == 1
    assert "VIOLATION (arrival)" in attest(world, copy, world.bucket).stdout


def test_bytes_that_stay_where_a_new_policy_does_not_allow_them_are_a_violation(world, copy):
    policy = json.dumps({"residency": {"allow": ["country:FI", "country:FR"]}})
    world.s3gw("policy", "set", "--tenant", "alice", "-", "--database", copy, input=policy)
    result = attest(world, copy, world.bucket, "--json")
    body = json.loads(result.stdout)["attestation"]
    assert result.returncode == 1
    assert {(each["kind"], each["backend"]) for each in body["violations"]} == {("staying", "de")}
    assert len(body["violations"]) == 3 and body["summary"]["arrivals"] == 0
    (changed,) = [each for each in body["policies"] if (each["tenantPolicy"] or {}).get("version") == 2]
    assert {each["since"] for each in body["violations"]} == {changed["from"]}


def test_usage(world):
    assert world.cli("attest").returncode == 2
    assert world.cli("attest", "--verify", "--public-key").returncode == 2
    assert world.cli("attest", "no-such-bucket").returncode == 1
    assert world.cli("attest", "--verify", "/no/such/file").returncode == 2
    assert world.cli("attest", "--help").stdout.count("s3gw attest") >= 4
