"""restic keeps its backups here: what people's cron jobs do, from the first backup to a restore after pruning."""

import json
import shutil

import pytest

from support.clients import restic, tree

# More than one pack (restic's default is 16 MiB), so that pruning has packs to drop and packs to rewrite.
LARGE_BYTES = 18_000_000
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(tmp_path, payload):
    root = tmp_path / "home"
    for number in range(40):
        path = root / f"documents/{number % 4}/note {number} ü.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload(100 * number))
    (root / "film.bin").write_bytes(payload(LARGE_BYTES))
    return root


def backup(repository, home):
    """Backs `home` up; returns the snapshot's id and what the tree held then."""
    lines = repository("backup", "--json", ".", cwd=home).splitlines()
    return json.loads(lines[-1])["snapshot_id"], tree(home)


def snapshots(repository):
    return [each["short_id"] for each in json.loads(repository("snapshots", "--json"))]


def restored(repository, snapshot, directory):
    shutil.rmtree(directory, ignore_errors=True)
    repository("restore", snapshot, "--target", directory)
    return tree(directory)


def test_restic_backs_up_checks_prunes_and_restores(world, home, payload, tmp_path):
    bucket = world.new_bucket()

    def repository(*words, **options):
        return restic(world, f"{bucket}/backups", *words, **options)

    repository("init")
    first, first_tree = backup(repository, home)
    (home / "film.bin").write_bytes(payload(LARGE_BYTES))
    shutil.rmtree(home / "documents/1")
    (home / "documents/new.txt").write_bytes(payload(3_000))
    second, second_tree = backup(repository, home)
    third, third_tree = backup(repository, home)
    assert third_tree == second_tree != first_tree

    repository("check", "--read-data")
    assert snapshots(repository) == [first, second, third]
    assert restored(repository, first, tmp_path / "back") == first_tree
    assert restored(repository, "latest", tmp_path / "back") == second_tree
    assert len(repository("ls", first).splitlines()) >= len(first_tree)

    def stored():
        pages = world.boto3().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sum(each["Size"] for page in pages for each in page.get("Contents", []))

    before = stored()
    repository("forget", "--keep-last", "1", "--prune", "--max-unused", "0")
    assert stored() < before - LARGE_BYTES // 2, "the first film is gone"
    assert snapshots(repository) == [third]
    repository("check", "--read-data")
    assert restored(repository, third, tmp_path / "back") == third_tree


def test_restic_finds_a_repository_only_where_there_is_one(world):
    bucket = world.new_bucket()
    restic(world, f"{bucket}/one", "init")
    with pytest.raises(AssertionError, match="already"):
        restic(world, f"{bucket}/one", "init")
    with pytest.raises(AssertionError, match="Is there a repository"):
        restic(world, f"{bucket}/two", "snapshots")
