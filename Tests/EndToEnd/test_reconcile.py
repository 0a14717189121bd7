"""Backends are compared with the database, and their content with its checksums; what differs is repaired."""

import pathlib

import pytest

from support.comparing import change, findings, reconcile
from support.processes import wait_until
from support.recovery import settle, worker

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1, "order": ["fi-fi-1", "de-de-1"]}}


def data_files(stack, marker, backend=None):
    return [pathlib.Path(path) for path in stack.stored(backend) if marker in path and path.endswith("%data")]


def replica_states(stack, bucket, key):
    shown = stack.s3gw_json("object", "show", bucket, key, "--tenant", "alice")
    return sorted((each["backend"], each["state"]) for each in shown["versions"][0]["replicas"])


BOTH = [("de", "present"), ("fi", "present")]


def file_stack(stacks, **settings):
    stack = stacks.files(reconcile_grace="0s", **settings)
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    stack.bucket = stack.new_bucket("alice")
    for number in range(5):
        stack.raw("alice").request("PUT", f"/{stack.bucket}/key-{number}", b"content %d" % number)
    settle(stack)
    return stack


def test_what_is_as_it_should_be_is_no_finding(stacks):
    stack = file_stack(stacks)
    s3 = stack.boto3("alice")
    upload = s3.create_multipart_upload(Bucket=stack.bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=stack.bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    for _ in range(3):
        reconcile(stack, finds=False)
    settle(stack)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=stack.bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    settle(stack)
    reconcile(stack, finds=False)
    rows = stack.s3gw_json("reconcile", "status")
    assert {row["backend"] for row in rows} == {"fi", "de", "fr"} and not [row for row in rows if row["failure"]]


def test_missing_and_cut_objects_are_copied_anew(stacks):
    stack = file_stack(stacks)
    data_files(stack, "key-1", "fi")[0].unlink()
    data_files(stack, "key-2", "de")[0].write_bytes(b"cut")
    reconcile(stack, True)
    assert findings(stack) == [("missing", "fi"), ("size", "de")]
    settle(stack)
    reconcile(stack, finds=False)
    assert findings(stack) == []
    for number in range(5):
        assert {file.read_bytes() for file in data_files(stack, f"key-{number}")} == {b"content %d" % number}
        assert replica_states(stack, stack.bucket, f"key-{number}") == BOTH
    # A store that lost a whole bucket.
    bucket = data_files(stack, "key-1", "fi")[0].parent
    bucket.rename(bucket.with_name("elsewhere"))
    reconcile(stack, True)
    settle(stack)
    reconcile(stack, finds=False)
    assert len(data_files(stack, "key-", "fi")) == 5 + 5, "those that were moved away, and their successors"


def test_orphans_go_after_the_grace_and_strangers_stay(stacks):
    stack = file_stack(stacks)
    change(
        stack,
        "DELETE FROM replicas WHERE version_sequence IN (SELECT sequence FROM versions WHERE key = CAST('key-3' AS BLOB))",
        "DELETE FROM objects WHERE key = CAST('key-3' AS BLOB)",
        "DELETE FROM versions WHERE key = CAST('key-3' AS BLOB)",
    )
    stranger = data_files(stack, "key-1", "fi")[0].with_name("stranger%data")
    stranger.write_bytes(b"not ours")
    forged = data_files(stack, "key-1", "fi")[0]
    for suffix in ("%data", "%meta"):
        source = forged.with_name(forged.name.replace("%data", suffix))
        source.with_name("copied" + suffix).write_bytes(source.read_bytes())
    stack.settings["reconcile-grace"] = "24h"
    stack.write_configuration()
    strangers = [("foreign", "fi"), ("foreign", "fi")]
    for _ in range(3):
        reconcile(stack, True)
        settle(stack)
        assert findings(stack) == strangers, "a write that began minutes ago may not have its row yet"
        assert len(data_files(stack, "key-3")) == 2
    stack.settings["reconcile-grace"] = "0s"
    stack.write_configuration()
    reconcile(stack, True)
    settle(stack)
    assert findings(stack) == [*strangers, ("orphaned", "de"), ("orphaned", "fi")]
    rows = stack.s3gw_json("reconcile", "findings")
    assert {(row["tenant"], row["bucket"]) for row in rows} == {("alice", stack.bucket)}
    assert "alice" in stack.s3gw("reconcile", "findings")
    stack.settings["reconcile-grace"] = "24h"
    stack.write_configuration()
    for _ in range(3):
        reconcile(stack, True)
        settle(stack)
        assert len(data_files(stack, "key-3")) == 2, "within the grace nothing goes"
    stack.settings["reconcile-grace"] = "0s"
    stack.write_configuration()
    reconcile(stack, True)
    settle(stack)
    reconcile(stack, True)
    settle(stack)
    assert data_files(stack, "key-3") == []
    reconcile(stack, True)
    assert findings(stack) == [("foreign", "fi"), ("foreign", "fi")]
    assert stranger.read_bytes() == b"not ours"
    assert [file.read_bytes() for file in data_files(stack, "key-1")] == [b"content 1"] * 2


def test_a_copy_that_no_row_speaks_of_is_taken_over_when_policy_wants_it(stacks):
    stack = file_stack(stacks)
    change(stack, "DELETE FROM replicas WHERE backend_id = (SELECT id FROM backends WHERE name = 'de')")
    for _ in range(2):
        reconcile(stack, True)
    assert {kind for kind, backend in findings(stack)} == {"misplaced"}
    settle(stack)
    reconcile(stack, finds=False)
    for number in range(5):
        assert replica_states(stack, stack.bucket, f"key-{number}") == BOTH


def test_a_dropped_job_is_asked_for_again(stacks):
    stack = file_stack(stacks)
    stack.raw("alice").request("PUT", f"/{stack.bucket}/late", b"late")
    change(stack, "DELETE FROM jobs")
    reconcile(stack, finds=False)
    settle(stack)
    assert replica_states(stack, stack.bucket, "late") == BOTH


def test_stray_uploads_are_ended(stacks):
    stack = file_stack(stacks)
    s3 = stack.boto3("alice")
    upload = s3.create_multipart_upload(Bucket=stack.bucket, Key="stray")["UploadId"]
    s3.upload_part(Bucket=stack.bucket, Key="stray", UploadId=upload, PartNumber=1, Body=b"x")
    change(stack, "DELETE FROM uploads", "DELETE FROM upload_places", "DELETE FROM upload_parts")
    parts = lambda: [path for path in stack.stored("fi") if "/parts-" in path]  # noqa: E731
    assert parts()
    reconcile(stack, True)
    assert findings(stack) == [("upload", "fi")]
    reconcile(stack, True)
    settle(stack)
    assert parts() == []
    reconcile(stack, finds=False)


def test_one_bucket_and_one_backend(stacks):
    stack = file_stack(stacks)
    other = stack.new_bucket("alice")
    stack.raw("alice").request("PUT", f"/{other}/other", b"x")
    settle(stack)
    data_files(stack, "other", "fi")[0].unlink()
    reconcile(stack, False, "--bucket", stack.bucket)
    reconcile(stack, False, "--backend", "de")
    reconcile(stack, True, "--backend", "fi", "--bucket", other)
    result = worker(stack, "reconcile", "--backend", "nowhere")
    assert result.returncode == 3 and "nowhere" in result.stderr


def test_a_record_that_is_gone_is_written_again(stacks):
    stack = file_stack(stacks)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    stack.boto3("alice").put_object_tagging(Bucket=stack.bucket, Key="key-0", Tagging=tags)
    settle(stack)
    records = lambda: {path for path in stack.recorded() if "/version/" in path and path.endswith("%data")}  # noqa: E731
    before = records()
    assert len(before) == 2
    for path in before:
        pathlib.Path(path).unlink()
    reconcile(stack, finds=False)
    settle(stack)
    assert records() == before


@pytest.mark.timeout(120)
def test_a_worker_compares_and_scrubs_by_itself(stacks):
    stack = file_stack(stacks, reconcile_interval="1s", scrub_mib_per_day=100_000_000)
    data_files(stack, "key-1", "fi")[0].unlink()
    data_files(stack, "key-2", "de")[0].write_bytes(b"content X")
    stack.start_worker()
    wait_until(lambda: len(data_files(stack, "key-1")) == 2, "the missing copy is made", 30)
    wait_until(
        lambda: {file.read_bytes() for file in data_files(stack, "key-2")} == {b"content 2"},
        "the wrong bytes are found and replaced",
        60,
    )
    log = stack.workers[0].log.read_text()
    assert "scrubbing found a bad replica" in log and "a backend was compared" in log


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["file", "radosgw"])
def test_scrubbing_finds_wrong_bytes_and_no_client_reads_them_afterwards(request, stacks, kind, payload):
    stack = stacks.files() if kind == "file" else stacks.over(request.getfixturevalue("radosgw"))
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    bodies = {f"scrubbed-{number}": payload(200_000) for number in range(4)}
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    parts = [payload(5 << 20), payload(1000)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="scrubbed-parts")["UploadId"]
    tags = [
        s3.upload_part(Bucket=bucket, Key="scrubbed-parts", UploadId=upload, PartNumber=number, Body=part)["ETag"]
        for number, part in enumerate(parts, 1)
    ]
    made = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]}
    s3.complete_multipart_upload(Bucket=bucket, Key="scrubbed-parts", UploadId=upload, MultipartUpload=made)
    bodies["scrubbed-parts"] = b"".join(parts)
    settle(stack)
    result = worker(stack, "scrub")
    assert result.returncode == 0, result.stdout + result.stderr

    def flipped(body):
        middle = len(body) // 2
        return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]

    for key in ("scrubbed-1", "scrubbed-parts"):
        spoil(stack, "fi", key, flipped(bodies[key]))
    result = worker(stack, "scrub")
    assert result.returncode == 1 and "fi: replicas 5" in result.stdout and "bad 2" in result.stdout, result.stdout
    settle(stack)
    assert worker(stack, "scrub").returncode == 0
    for key, body in bodies.items():
        for _ in range(4):
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        assert content(stack, "fi", key) == body
    status = {(row["kind"], row["backend"]): row for row in stack.s3gw_json("reconcile", "status")}
    assert status["scrub", "fi"]["lookedAt"] == 5 and status["scrub", "fi"]["finishedAt"]


def physical(stack, backend, key):
    ((bucket, name),) = stack.query(
        "SELECT physical_bucket, physical_key FROM replicas WHERE state = 'present' AND backend_id = "
        "(SELECT id FROM backends WHERE name = ?) AND version_sequence = "
        "(SELECT sequence FROM versions WHERE key = ? AND state = 'live')",
        backend,
        key.encode(),
    )
    return bucket, name.decode()


def spoil(stack, backend, key, body):
    """Other bytes of the same length, behind the gateway's back."""
    bucket, name = physical(stack, backend, key)
    store = stack.backends[backend]
    if isinstance(store, pathlib.Path):
        (store / bucket / f"{name}%data").write_bytes(body)
    else:
        metadata = store.client().head_object(Bucket=bucket, Key=name)["Metadata"]
        store.client().put_object(Bucket=bucket, Key=name, Body=body, Metadata=metadata)


def content(stack, backend, key):
    bucket, name = physical(stack, backend, key)
    store = stack.backends[backend]
    if isinstance(store, pathlib.Path):
        return (store / bucket / f"{name}%data").read_bytes()
    return store.client().get_object(Bucket=bucket, Key=name)["Body"].read()


def test_workers_that_write_the_configuration_at_once_leave_nothing_behind(stacks):
    stack = stacks.files(worker_poll_interval="10ms").start(workers=3)
    bucket = stack.new_bucket("alice")
    for number in range(40):
        stack.set_policy({"replicas": {"count": 1 + number % 3}}, "--bucket", bucket, "--tenant", "alice")

    def documents():
        """What lies there and what is noted, as (backend, document, generation)."""
        written = {
            (backend, path.partition("/document/")[2].partition("~")[0], int(path.partition("~")[2].partition("%")[0]))
            for backend in stack.backends
            for path in stack.recorded(backend)
            if "/document/" in path and path.endswith("%data")
        }
        rows = stack.query("SELECT b.name, d.name, d.generation FROM documents d JOIN backends b ON b.id = d.backend_id")
        return written, set(rows)

    wait_until(lambda: documents()[0] == documents()[1], "each document is there once", 10)
