"""Table formats commit by conditional writes: obstore and deltalake with many writers at once lose and invent nothing."""

import concurrent.futures
import json
import threading

import pyarrow as arrow
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

MIB = 1 << 20
WRITERS = 6
COMMITS = 5
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def fresh(world):
    return world.new_bucket()


@pytest.fixture
def store(world, fresh):
    credentials = world.credentials()
    return S3Store(
        fresh,
        endpoint=world.http_url,
        region=world.settings["region"],
        access_key_id=credentials.access_key_id,
        secret_access_key=credentials.secret_access_key,
        client_options={"allow_http": True},
    )


@pytest.fixture
def delta_options(world):
    credentials = world.credentials()
    return {
        "AWS_ENDPOINT_URL": world.http_url,
        "AWS_REGION": world.settings["region"],
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_ALLOW_HTTP": "true",
    }


def at_once(work):
    """Runs `work(number)` on WRITERS threads that begin together; returns what they returned."""
    start = threading.Barrier(WRITERS)

    def one(number):
        start.wait()
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def test_obstore_reads_lists_copies_and_deletes_what_it_put(store, payload):
    small, large = payload(10_000), payload(12 * MIB + 9)
    store.put("dir/small file", small)
    store.put("dir/large", large)  # in parts, by default
    assert bytes(store.get("dir/small file").bytes()) == small
    assert bytes(store.get("dir/large").bytes()) == large
    assert bytes(store.get_range("dir/large", start=5 * MIB - 1, end=5 * MIB + 1)) == large[5 * MIB - 1 : 5 * MIB + 1]
    pieces = store.get_ranges("dir/large", starts=[0, 10 * MIB], ends=[5, 10 * MIB + 5])
    assert [bytes(each) for each in pieces] == [large[:5], large[10 * MIB : 10 * MIB + 5]]
    store.copy("dir/large", "copy")
    store.rename("copy", "other/renamed")
    assert {each["path"]: each["size"] for each in store.list().collect()} == {
        "dir/large": len(large),
        "dir/small file": len(small),
        "other/renamed": len(large),
    }
    assert sorted(store.list_with_delimiter()["common_prefixes"]) == ["dir", "other"]
    head = store.head("dir/small file")
    with pytest.raises(PreconditionError):
        store.get("dir/small file", options={"if_match": '"no"'})
    assert bytes(store.get("dir/small file", options={"if_match": head["e_tag"]}).bytes()) == small
    store.delete([each["path"] for each in store.list().collect()])
    assert store.list().collect() == []
    with pytest.raises(FileNotFoundError):
        store.head("dir/large")


def test_obstore_creates_once_and_counts_exactly_by_etag(store):
    for turn in range(COMMITS):

        def create(number):
            try:
                store.put(f"log/{turn:020}", b"%d" % number, mode="create")
                return number
            except AlreadyExistsError:
                return None

        winners = [each for each in at_once(create) if each is not None]
        assert len(winners) == 1
        assert bytes(store.get(f"log/{turn:020}").bytes()) == b"%d" % winners[0]

    store.put("counter", b"0")

    def count(_):
        for _ in range(COMMITS):
            while True:
                got = store.get("counter")
                meta, value = got.meta, int(bytes(got.bytes()))
                try:
                    store.put("counter", b"%d" % (value + 1), mode={"e_tag": meta["e_tag"]})
                    break
                except (PreconditionError, AlreadyExistsError):
                    continue

    at_once(count)
    assert bytes(store.get("counter").bytes()) == b"%d" % (WRITERS * COMMITS)


def test_deltalake_commits_of_concurrent_writers_are_all_there_once(world, fresh, delta_options):
    uri = f"s3://{fresh}/tables/events"

    def rows(writer, commit):
        return arrow.table({"writer": [writer] * 10, "commit": [commit] * 10, "row": list(range(10))})

    write_deltalake(uri, rows(-1, 0), storage_options=delta_options)

    def append(writer):
        for commit in range(COMMITS):
            # By default a writer gives up after it has lost fifteen times, which the slowest of these may do.
            write_deltalake(
                uri, rows(writer, commit), mode="append", storage_options=delta_options,
                commit_properties=CommitProperties(max_commit_retries=200),
            )

    at_once(append)
    table = DeltaTable(uri, storage_options=delta_options)
    assert table.version() == WRITERS * COMMITS
    assert len(table.history()) == WRITERS * COMMITS + 1
    found = table.to_pyarrow_table()
    wanted = {(-1, 0, row) for row in range(10)} | {
        (writer, commit, row) for writer in range(WRITERS) for commit in range(COMMITS) for row in range(10)
    }
    assert found.num_rows == len(wanted)
    assert set(zip(*(found[name].to_pylist() for name in ("writer", "commit", "row")))) == wanted

    # The log that a reader sees has each number once, and each entry is whole.
    s3 = world.boto3()
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=fresh, Prefix="tables/events/_delta_log/")["Contents"]]
    numbers = sorted(int(key.rpartition("/")[2].removesuffix(".json")) for key in keys if key.endswith(".json"))
    assert numbers == list(range(WRITERS * COMMITS + 1))
    for key in keys:
        if key.endswith(".json"):
            lines = s3.get_object(Bucket=fresh, Key=key)["Body"].read().splitlines()
            assert all(json.loads(line) for line in lines)


def test_deltalake_overwrites_deletes_travels_in_time_and_compacts(fresh, delta_options):
    uri = f"s3://{fresh}/table"
    for part in range(3):
        write_deltalake(
            uri,
            arrow.table({"part": [part] * 100, "value": list(range(100))}),
            mode="append",
            partition_by=["part"],
            storage_options=delta_options,
        )
    table = DeltaTable(uri, storage_options=delta_options)
    table.delete("part = 1 AND value >= 50")
    assert table.to_pyarrow_table().num_rows == 250
    table.optimize.compact()
    table.create_checkpoint()
    assert DeltaTable(uri, storage_options=delta_options).to_pyarrow_table().num_rows == 250
    assert DeltaTable(uri, version=2, storage_options=delta_options).to_pyarrow_table().num_rows == 300
    write_deltalake(uri, arrow.table({"part": [9], "value": [9]}), mode="overwrite", storage_options=delta_options)
    table = DeltaTable(uri, storage_options=delta_options)
    assert table.to_pyarrow_table().num_rows == 1
    removed = table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert removed
    assert DeltaTable(uri, storage_options=delta_options).to_pyarrow_table().num_rows == 1
