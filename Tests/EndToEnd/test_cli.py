"""The command line: what it makes, shows and refuses, for people and for programs."""

import json
import re
import subprocess

import pytest
from support import paths


@pytest.fixture(scope="module")
def admin(gateway):
    gateway.create_tenant("carol")
    return gateway


def test_a_tenant_has_a_canonical_id_of_64_hex_digits_and_can_be_shown_and_listed(admin):
    made = admin.s3gw_json("tenant", "create", "dora", "--display-name", "Dora D.", "--email", "dora@example.org")
    shown = admin.s3gw_json("tenant", "show", "dora")
    assert re.fullmatch(r"[0-9a-f]{64}", shown["canonicalId"]) and shown["canonicalId"] == made["canonicalId"]
    assert (shown["name"], shown["displayName"], shown["email"]) == ("dora", "Dora D.", "dora@example.org")
    assert "dora" in [row["name"] for row in admin.s3gw_json("tenant", "list")]
    assert "dora" in admin.s3gw("tenant", "list")
    admin.s3gw("tenant", "delete", "dora")
    assert "dora" not in [row["name"] for row in admin.s3gw_json("tenant", "list")]


def test_a_tenant_that_exists_is_not_made_again_and_one_that_does_not_is_not_shown(admin):
    assert admin.cli("tenant", "create", "carol").returncode == 1
    assert admin.cli("tenant", "show", "nobody").returncode == 1


def test_a_tenant_with_buckets_is_not_deleted(admin):
    admin.create_tenant("owner")
    bucket = admin.new_bucket("owner")
    result = admin.cli("tenant", "delete", "owner")
    assert result.returncode == 1 and bucket in result.stderr


def test_a_key_is_shown_once_imported_listed_disabled_and_deleted(admin):
    imported = admin.s3gw_json(
        "key", "import", "carol", "--access-key-id", "CAROLSOWNKEY00000001", "--secret-file", "-", input="c" * 40
    )
    assert imported["accessKeyId"] == "CAROLSOWNKEY00000001"
    listed = admin.s3gw("key", "list", "carol", "--json")
    assert "CAROLSOWNKEY00000001" in listed and "secret" not in listed.lower() and "c" * 40 not in listed
    from support.sigv4 import Credentials

    client = admin.raw(credentials=Credentials("CAROLSOWNKEY00000001", "c" * 40))
    assert client.request("GET", "/").status == 200
    admin.s3gw("key", "disable", "CAROLSOWNKEY00000001")
    assert client.request("GET", "/").status == 403
    admin.s3gw("key", "delete", "CAROLSOWNKEY00000001")
    assert "CAROLSOWNKEY00000001" not in admin.s3gw("key", "list", "carol", "--json")


def test_backends_are_shown_with_their_location_and_without_their_secret(radosgw_gateway):
    rows = {row["name"]: row for row in radosgw_gateway.s3gw_json("backend", "list")}
    assert {name: rows[name]["country"] for name in ("fi", "de", "fr")} == {"fi": "FI", "de": "DE", "fr": "FR"}
    text = radosgw_gateway.s3gw("backend", "show", "fi", "--json")
    assert json.loads(text)["state"] == "active"
    assert "gatewaysecretkey" not in text
    radosgw_gateway.s3gw("backend", "probe", "fi")


def test_a_backend_that_does_not_answer_is_not_added(admin, tmp_path):
    result = admin.cli(
        "backend",
        "add",
        "broken",
        "--type",
        "file",
        "--path",
        tmp_path / "no-such-directory",
        "--country",
        "FI",
        "--region",
        "x-1",
    )
    assert result.returncode != 0 and "no-such-directory" in result.stdout + result.stderr
    assert "broken" not in admin.s3gw("backend", "list")


def test_a_backend_that_holds_replicas_is_not_removed(admin, raw, bucket):
    raw.request("PUT", f"/{bucket}/k", b"x")
    shown = admin.s3gw_json("object", "show", bucket, "k", "--tenant", "alice")
    (holder,) = [replica["backend"] for version in shown["versions"] for replica in version["replicas"]]
    result = admin.cli("backend", "remove", holder)
    assert result.returncode == 1 and "replicas" in result.stderr
    assert holder in [row["name"] for row in admin.s3gw_json("backend", "list")]


def test_bucket_explain_says_how_the_physical_name_came_about(admin, raw, bucket):
    raw.request("PUT", f"/{bucket}/k", b"x")
    text = admin.s3gw("bucket", "explain", bucket, "--tenant", "alice", "--json")
    names = set(re.findall(r"s3gw-[a-z0-9-]+", text))
    assert names and all(len(name) <= 63 for name in names)
    assert bucket in [row["name"] for row in admin.s3gw_json("bucket", "list", "--tenant", "alice")]
    assert admin.s3gw_json("bucket", "show", bucket, "--tenant", "alice")["name"] == bucket


def test_the_physical_name_is_deterministic_and_different_for_each_tenant(admin):
    for tenant in ("alice", "bob"):
        admin.boto3(tenant).create_bucket(Bucket="same-name")
    first, second, other = (
        admin.s3gw("bucket", "explain", "same-name", "--tenant", tenant, "--json")
        for tenant in ("alice", "alice", "bob")
    )
    first, second, other = (set(re.findall(r"s3gw-[a-z0-9-]+", text)) for text in (first, second, other))
    assert first == second and first and not first & other


def test_object_show_names_each_replica_with_backend_country_and_state(admin, raw, bucket):
    raw.request("PUT", f"/{bucket}/some/key", b"x")
    shown = admin.s3gw_json("object", "show", bucket, "some/key", "--tenant", "alice")
    (replica,) = [each for version in shown["versions"] for each in version["replicas"]]
    assert replica["backend"] in ("fi", "de", "fr") and replica["state"] == "present" and len(replica["country"]) == 2
    assert "present" in admin.s3gw("object", "show", bucket, "some/key", "--tenant", "alice")
    assert admin.cli("object", "show", bucket, "no/such/key", "--tenant", "alice").returncode == 1


def test_a_bucket_name_that_two_tenants_use_needs_the_tenant(admin):
    for tenant in ("alice", "bob"):
        admin.boto3(tenant).create_bucket(Bucket="ambiguous")
    result = admin.cli("bucket", "show", "ambiguous")
    assert result.returncode in (1, 2) and "--tenant" in result.stdout + result.stderr
    assert admin.cli("bucket", "show", "ambiguous", environment={"S3GW_TENANT": "bob"}).returncode == 0


def test_status_says_what_there_is(admin):
    assert json.loads(admin.s3gw("status", "--json"))
    assert "fi" in admin.s3gw("status")


def test_a_database_that_is_not_there_is_exit_3_and_says_what_to_do(admin):
    result = admin.cli("status", "--database", admin.directory / "nowhere" / "s3gw.db")
    assert result.returncode == 3 and "s3gw init" in result.stderr and not result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-noun"],
        ["explain", "GET", "b/k", "--near", "no-selector"],
        ["policy", "set", "--tenant", "alice", "/no/such/file"],
        ["tenant"],
        ["tenant", "create"],
        ["tenant", "create", "x", "--no-such-flag"],
        ["backend", "add", "x", "--type", "tape"],
    ],
)
def test_a_usage_error_is_exit_2_and_explains_itself(admin, words):
    result = admin.cli(*words)
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert (result.stdout + result.stderr).strip()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["tenant"],
        ["key"],
        ["backend"],
        ["policy"],
        ["bucket"],
        ["object"],
        ["jobs"],
        ["backend", "add"],
        ["policy", "set"],
    ],
)
def test_help_is_exit_0_and_has_an_example(admin, words):
    result = admin.cli(*words, "--help")
    assert result.returncode == 0 and "s3gw" in result.stdout
    if len(words) == 2:
        assert "example" in result.stdout.lower()


@pytest.mark.parametrize("name", ["s3gw", "s3gw-fcgi", "s3gw-worker"])
def test_every_program_tells_its_version(name):
    told = subprocess.run([paths.BINARIES / name, "--version"], capture_output=True, text=True, timeout=10)
    assert told.returncode == 0 and re.fullmatch(r"\d+\.\d+\.\d+(-\w+)?\n", told.stdout), told


def test_init_twice_keeps_the_key_and_the_data(stacks):
    stack = stacks.bare()
    stack.create_tenant("alice")
    key = (stack.directory / "master.key").read_bytes()
    result = stack.cli("init")
    assert result.returncode in (0, 1)
    assert (stack.directory / "master.key").read_bytes() == key
    assert [row["name"] for row in stack.s3gw_json("tenant", "list")] == ["alice"]


def test_the_master_key_and_the_database_are_private(stacks):
    stack = stacks.bare()
    assert (stack.directory / "master.key").stat().st_mode & 0o077 == 0
    assert stack.database_path.stat().st_mode & 0o007 == 0


def test_a_refusal_with_json_is_json(admin):
    result = admin.cli("backend", "show", "nowhere", "--json")
    assert result.returncode == 1 and "nowhere" in result.stderr
    assert json.loads(result.stdout) == {"error": "There is no backend nowhere.", "exitCode": 1}
    result = admin.cli("status", "--json", "--database", admin.directory / "nowhere.db")
    assert result.returncode == 3 and json.loads(result.stdout)["exitCode"] == 3
    result = admin.cli("status", "--json", "--config", admin.directory / "nowhere.conf")
    assert result.returncode == 2 and json.loads(result.stdout)["exitCode"] == 2


def test_an_answer_that_cannot_be_written_is_exit_3_and_no_crash(admin):
    for output, words in (("/dev/full", "No space left"), ("pipe", "")):
        with open("/dev/full" if output == "/dev/full" else "/dev/null", "wb") as file:
            command = [paths.BINARIES / "s3gw", "backend", "list"]
            if output == "pipe":
                # With SIGPIPE ignored, as services have it, a reader that has left is an error of write().
                command = ["bash", "-c", 'trap "" PIPE; exec 3> >(true); wait $!; exec "$0" "$@" >&3', *command]
            result = subprocess.run(
                command, stdout=file, stderr=subprocess.PIPE, text=True, env=admin.environment, timeout=60
            )
        assert result.returncode == 3 and words in result.stderr and "Fatal" not in result.stderr, result


def test_two_s3_backends_in_one_place_need_the_operators_word(stacks, radosgw):
    stack = stacks.bare()
    stack.add_s3_backend("fi", radosgw["r1"], "FI")
    words = ["--type", "s3", "--endpoint", f"{radosgw['r1'].endpoint}/", "--signing-region", radosgw["r1"].name]
    words += ["--access-key-id", radosgw["r1"].access_key_id, "--secret-file", stack.directory / "fi.secret"]
    words += ["--region", "de-1", "--country", "DE"]
    refused = stack.cli("backend", "add", "de", *words)
    assert refused.returncode == 1 and "Backend fi has this endpoint" in refused.stderr
    stack.s3gw("backend", "add", "de", *words, "--anyway")


def test_file_backends_do_not_lie_within_each_other(stacks):
    stack = stacks.bare()
    directory = stack.add_file_backend("fi", "FI")
    (directory / "inside").mkdir()
    (directory.parent / "link").symlink_to(directory)
    for path in (f"{directory}/", directory / "inside", directory.parent, directory.parent / "link"):
        words = ["--type", "file", "--path", path, "--region", "de-1", "--country", "DE"]
        refused = stack.cli("backend", "add", "de", *words)
        assert refused.returncode == 1 and "backend fi" in refused.stderr, (path, refused)
    assert [row["name"] for row in stack.s3gw_json("backend", "list")] == ["fi"]


def verbs(*words):
    """The help of every verb below `words`, with the verb."""
    text = subprocess.run([paths.BINARIES / "s3gw", *words, "--help"], capture_output=True, text=True, timeout=20).stdout
    block = re.search(r"^SUBCOMMANDS:\n(.*?)\n\n", text, re.S | re.M)
    names = re.findall(r"^  ([a-z-]+)", block.group(1), re.M) if block else []
    yield words, text
    for name in names:
        yield from verbs(*words, name)


def test_every_example_of_every_help_can_be_pasted(tmp_path):
    found = list(verbs())
    assert len(found) > 50
    for words, text in found:
        block = re.search(r"^Examples?:\n(.*?)\n\n", text, re.S | re.M)
        assert block, words
        script = "s3gw() { echo \"told: $*\"; }; pass() { echo; }\n"
        script += block.group(1).replace("/etc/nginx/s3gw", str(tmp_path))
        said = subprocess.run(["bash"], input=script, capture_output=True, text=True, cwd=tmp_path, timeout=20)
        assert said.returncode == 0 and not said.stderr, (words, said)
        told = said.stdout.splitlines() + [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
        assert told and all(line.startswith("told: ") for line in told), (words, told)
        assert all(line.startswith(" ".join(("told:", *words))) for line in said.stdout.splitlines()), (words, told)


def test_another_master_key_seals_nothing_in_this_database(stacks):
    """What it sealed, no running process could open: with a backend's secret the whole gateway would be 500."""
    stack = stacks.bare()
    stack.create_tenant("alice")
    key = stack.directory / "master.key"
    own = key.read_text().partition(":")[0]
    other = stack.directory / "other.key"
    other.write_text("k9:" + "ab" * 32)
    other.chmod(0o400)
    for words in (
        ["key", "create", "alice"],
        ["backend", "add", "de", "--type", "s3", "--endpoint", "http://127.0.0.1:9", "--access-key-id", "abc",
         "--region", "de-1", "--no-probe"],
        ["init"],
    ):  # fmt: skip
        refused = stack.cli(
            *words, "--master-key-file", other, environment={"S3GW_BACKEND_SECRET": "s" * 40}
        )
        assert refused.returncode == 3 and own in refused.stderr and "k9" in refused.stderr, refused
    assert len(stack.s3gw_json("key", "list")) == 1 and stack.s3gw_json("backend", "list") == []
    # A key file that was lost is not replaced by a new one.
    key.rename(stack.directory / "away.key")
    refused = stack.cli("init")
    assert refused.returncode == 3 and "put that back" in refused.stderr and not key.exists(), refused
