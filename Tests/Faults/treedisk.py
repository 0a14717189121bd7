"""What a power cut takes from a directory: the shim's log says what was done in it and what of that was synced.

POSIX promises no more than this: a file's bytes are there after an fsync of the file, and its name, the name's removal or
its move after an fsync of the directory. What was not synced may be there or not; what a directory lost, it lost from its
last change backwards, as file systems with a journal do. Needs a file system of its own, which tells files by their inodes.
"""

import contextlib
import os
import pathlib
import shutil
import struct
from dataclasses import dataclass

EVENT = struct.Struct("<Ic3xQQQIIQHHI")  # struct event of the shim


@dataclass
class Change:
    """One change of a directory: `name` came as `inode`, or went when that is 0; `saved` is what had the name before."""

    name: bytes
    inode: int
    saved: str = ""


def read(log):
    """Returns ({directory: [Change not synced]}, {inodes with bytes that are not synced})."""
    data = pathlib.Path(log).read_bytes()
    pending, dirty = {}, set()
    at = 0
    while at < len(data):
        size, kind, directory, inode, saved_directory, process, number, to_directory, length, to_length, _ = (
            EVENT.unpack_from(data, at)
        )
        names = data[at + EVENT.size : at + size]
        assert len(names) == length + to_length, "the shim's log and its reader do not agree"
        name, to_name = names[:length], names[length:]
        saved = f"{saved_directory}/{process}-{number}" if saved_directory else ""
        at += size
        if kind == b"w":
            dirty.add(inode)
        elif kind == b"s":
            dirty.discard(inode)
            pending.pop(inode, None)
        elif kind == b"a":
            pending.setdefault(directory, []).append(Change(name, inode))
        elif kind == b"r":
            pending.setdefault(directory, []).append(Change(name, 0, saved))
        elif kind == b"m":
            # The old name is not given back to a file that loses its new one: what was under it was never whole.
            pending.setdefault(to_directory, []).append(Change(to_name, inode, saved))
    return pending, dirty


def forget(root, log, saved, chance):
    """Takes from `root` what was not synced, but for a part that `chance` chooses; returns how many files and names that were.

    Nobody may use the directory meanwhile. The log begins anew.
    """
    root, log, saved = os.fsencode(root), pathlib.Path(log), os.fsencode(saved)
    if not log.exists():
        return 0
    pending, dirty = read(log)
    directories = {os.stat(path).st_ino: path for path, _, _ in os.walk(root)}
    lost = 0
    for directory in sorted(pending.keys() & directories.keys()):
        changes = pending[directory]
        kept = chance.randrange(len(changes) + 1) if chance.random() < 0.3 else 0
        for change in reversed(changes[kept:]):
            # A directory above may have gone by now.
            with contextlib.suppress(FileNotFoundError):
                lost += undo(directories[directory], change, saved)
    for path, _, names in os.walk(root):
        for name in names:
            file = os.path.join(path, name)
            status = os.stat(file)
            if status.st_ino in dirty and chance.random() < 0.7:
                os.truncate(file, chance.randrange(status.st_size + 1))
                lost += 1
    log.write_bytes(b"")
    for each in os.listdir(saved):
        shutil.rmtree(os.path.join(saved, each))
    return lost


def undo(directory, change, saved):
    path = os.path.join(directory, change.name)
    if change.inode and os.path.lexists(path) and os.lstat(path).st_ino == change.inode:
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    if change.saved and not os.path.lexists(path):
        os.link(os.path.join(saved, os.fsencode(change.saved)), path)
    return 1
