"""Wrong bytes are only excused where nobody compares them, and only by a byte that the proxy flipped right there."""

import hashlib
import json
from types import SimpleNamespace

import pytest

from checks import Checker, flipped
from record import Doubt, Record
from values import Values

KEY, NAME = "alice-plain/00", "alice/plain/alice-plain/00"
WANTED = b"the bytes that belong there"
PART_MD5 = hashlib.md5(flipped(WANTED, 3, 4)).hexdigest()


def flip(at=103, mask=4, key=f"{KEY}~1", ranged=False, conditional=False):
    return {"backend": "fi", "key": key, "at": at, "mask": mask, "ranged": ranged, "conditional": conditional}


def doubt(ranged, differences=((103, 4),), part=()):
    return Doubt(NAME, KEY, differences, ranged, part)


COPY = (100, WANTED, PART_MD5)
EXCUSED = {
    "in a range": (doubt(True), flip(ranged=True)),
    "by what nginx read": (doubt(False), flip(conditional=True)),
    "in a part's copy from a range": (doubt(True, (), COPY), flip(ranged=True)),
}
NOT_EXCUSED = {
    "a whole body, by a flip in a range": (doubt(False), flip(ranged=True)),
    "a whole body that the pool relayed": (doubt(False), flip()),
    "a range, by a flip in a whole body": (doubt(True), flip()),
    "another place": (doubt(True), flip(at=104, ranged=True)),
    "another bit": (doubt(True), flip(mask=8, ranged=True)),
    "another object": (doubt(True), flip(key="alice-plain/01~1", ranged=True)),
    "one of two": (doubt(True, ((103, 4), (105, 4))), flip(ranged=True)),
    "a whole source of a part": (doubt(False, (), COPY), flip()),
    "a part's copy, another place": (doubt(True, (), COPY), flip(at=104, ranged=True)),
}


def violations(tmp_path, case):
    record = Record(Values())
    record.doubts.append(case[0])
    world = SimpleNamespace(flips=tmp_path / "flips")
    world.flips.write_text(json.dumps(case[1]) + "\n")
    Checker(world, record, print).explained()
    return record.violations


@pytest.mark.parametrize("name", EXCUSED)
def test_a_flipped_byte_is_excused(tmp_path, name):
    assert violations(tmp_path, EXCUSED[name]) == []


@pytest.mark.parametrize("name", NOT_EXCUSED)
def test_a_wrong_byte_is_not_excused_by(tmp_path, name):
    assert [promise for promise, _ in violations(tmp_path, NOT_EXCUSED[name])] == ["never wrong bytes"]
