"""The shim steps clocks and knows what a power cut takes."""

import os
import pathlib
import struct
import subprocess
import sys
import time

import pytest

import treedisk
from world import SmallDisk, build_shim


def test_the_shim_steps_the_clock_and_forgets_what_was_not_synced(tmp_path):
    shim = build_shim(tmp_path)
    clock, disk = tmp_path / "clock", tmp_path / "db"
    clock.write_bytes(struct.pack("q", -1_200_000))
    program = (
        "import os, sys, time; print(time.time());"
        f"f = os.open({str(disk)!r}, os.O_RDWR | os.O_CREAT);"
        "os.pwrite(f, b'durable', 0); os.fsync(f); os.pwrite(f, b'lost', 0); os.pwrite(f, b'more', 7)"
    )
    environment = {"LD_PRELOAD": str(shim), "FAULT_CLOCK": str(clock), "FAULT_DISK": str(disk)}
    words = [sys.executable, "-c", program]
    printed = subprocess.run(words, env=environment, capture_output=True, check=True, timeout=20, text=True).stdout
    assert abs(time.time() - 1200 - float(printed)) < 20
    assert disk.read_bytes() == b"lostblemore"
    assert pathlib.Path(f"{disk}.synced").read_bytes() == b"durable"
    assert pathlib.Path(f"{disk}.dirty").stat().st_size == 32


@pytest.fixture
def small_disk(tmp_path):
    disk = SmallDisk(tmp_path / "disk", 1 << 20)
    if not disk.mounted:
        pytest.skip("needs to mount a file system")
    yield disk
    disk.unmount()


def cut(tmp_path, disk, program):
    """Runs `program`, which has `root`, the descriptor of a directory, and cuts the power; returns {path: bytes} after it."""
    root, saved, log = disk.directory / "root", disk.directory / "saved", tmp_path / "log"
    root.mkdir(exist_ok=True)
    saved.mkdir(exist_ok=True)
    environment = {"LD_PRELOAD": str(build_shim(tmp_path)), "FAULT_TREE": str(root)}
    environment |= {"FAULT_TREE_LOG": str(log), "FAULT_TREE_SAVED": str(saved)}
    lines = f"""
import os
root = os.open({str(root)!r}, os.O_RDONLY)
def create(name, body, sync=True, where=root):
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=where)
    os.write(file, body)
    if sync: os.fsync(file)
    os.close(file)
"""
    subprocess.run([sys.executable, "-c", lines + program], env=environment, check=True, timeout=20)
    treedisk.forget(root, log, saved, Worst())
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Worst:
    """Takes all that may be taken."""

    def random(self):
        return 0.5

    def randrange(self, end):
        return 0


def test_what_was_synced_stays(tmp_path, small_disk):
    program = """
os.mkdir("d", dir_fd=root)
os.fsync(root)
d = os.open("d", os.O_RDONLY, dir_fd=root)
create("new", b"bytes")
os.rename("new", "k", src_dir_fd=root, dst_dir_fd=d)
create("other", b"other", where=d)
os.unlink("other", dir_fd=d)
os.fsync(d)
"""
    assert cut(tmp_path, small_disk, program) == {"d/k": b"bytes"}


@pytest.mark.parametrize(
    "program, left",
    [
        ('create("k", b"bytes")', {}),
        ('create("k", b"bytes", sync=False); os.fsync(root)', {"k": b""}),
        ('create("t", b"bytes"); os.fsync(root); os.rename("t", "k", src_dir_fd=root, dst_dir_fd=root)', {}),
        ('create("k", b"old"); os.fsync(root); os.unlink("k", dir_fd=root)', {"k": b"old"}),
        (
            'create("k", b"old"); os.fsync(root); create("t", b"new")\n'
            'os.rename("t", "k", src_dir_fd=root, dst_dir_fd=root)',
            {"k": b"old"},
        ),
        (
            'os.mkdir("d", dir_fd=root); d = os.open("d", os.O_RDONLY, dir_fd=root)\n'
            'create("k", b"bytes", where=d); os.fsync(d)',
            {},
        ),
    ],
)
def test_what_was_not_synced_goes(tmp_path, small_disk, program, left):
    assert cut(tmp_path, small_disk, program) == left
