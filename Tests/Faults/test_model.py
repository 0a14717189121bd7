"""The checker itself: it takes what can be explained and nothing else."""

import itertools
import time

import pytest

from model import ANY, FOREVER, Operation, explain, violations

KEY = ("alice", "b", "k")


def put(etag, call, end=FOREVER, **more):
    return Operation(KEY, "put", call, end, end != FOREVER, (etag,), **{"version": "null", **more})


def read(etag, call, end, **more):
    return Operation(KEY, "read", call, end, True, (etag,), **more)


def delete(call, end=FOREVER, **more):
    return Operation(KEY, "delete", call, end, end != FOREVER, **more)


GOOD = {
    "a read of what was written": [put("a", 0, 1), read("a", 2, 3)],
    "a read beside a write sees either": [put("a", 0, 1), put("b", 2, 5), read("a", 3, 4), read("b", 6, 7)],
    "the new value first, by a reader that answered while the write went on": [
        put("a", 0, 1), put("b", 2, 9), read("b", 3, 4), read("b", 5, 6)],
    "two writes at once in either order": [put("a", 0, 5), put("b", 0, 5), read("a", 6, 7)],
    "an unknown write that happened": [put("a", 0, 1), put("b", 2), read("b", 3, 4)],
    "an unknown write that happened late": [put("a", 0, 1), put("b", 2), read("a", 3, 4), read("b", 5, 6)],
    "an unknown write that never happened": [put("a", 0, 1), put("b", 2), read("a", 3, 4)],
    "an unknown delete": [put("a", 0, 1), delete(2), read("a", 3, 4), read(None, 5, 6)],
    "nothing before anything": [read(None, 0, 1), put("a", 2, 3)],
    "one winner": [
        put("a", 0, 5, condition=("none",)),
        Operation(KEY, "refused", 0, 5, True, condition=("none",)),
        read("a", 6, 7)],
    "a refusal that an unknown write explains": [
        put("a", 0), Operation(KEY, "refused", 1, 2, True, condition=("none",)), read("a", 3, 4)],
    "a condition on the value that was there": [
        put("a", 0, 1), put("b", 2, 3, condition=("match", "a")), read("b", 4, 5)],
    "a copy of one of several values": [
        Operation(KEY, "put", 0, FOREVER, False, ("x", "y"), "null"), read("y", 1, 2), read("y", 3, 4)],
}
BAD = {
    "a lost write": [put("a", 0, 1), read(None, 2, 3)],
    "a stale read": [put("a", 0, 1), put("b", 2, 3), read("a", 4, 5)],
    "back in time": [put("a", 0, 1), put("b", 2), read("b", 3, 4), read("a", 5, 6)],
    "a value that nobody wrote": [put("a", 0, 1), read("z", 2, 3)],
    "a value before it was written": [read("a", 0, 1), put("a", 2, 3)],
    "a delete that came back": [put("a", 0, 1), delete(2, 3), read("a", 4, 5)],
    "two winners": [put("a", 0, 5, condition=("none",)), put("b", 0, 5, condition=("none",))],
    "no winner": [
        Operation(KEY, "refused", 0, 5, True, condition=("none",)),
        Operation(KEY, "refused", 0, 5, True, condition=("none",))],
    "a write that was refused and done": [
        Operation(KEY, "refused", 0, 1, True, condition=("match", "a")), put("a", 2, 3), read("b", 4, 5)],
    "a write done twice": [put("a", 0, 1), put("b", 2, 3), read("b", 4, 5), read("a", 6, 7)],
    "a condition on a value that was gone": [
        put("a", 0, 1), put("b", 2, 3), put("c", 4, 5, condition=("match", "a"))],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_can_be_explained_is_taken(name):
    assert explain(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_explained_is_found(name):
    assert not explain(BAD[name])
    assert len(violations(BAD[name])) == 1


def versioned(kind, call, end, **more):
    return Operation(KEY, kind, call, end, end != FOREVER, versioned=True, **more)


def test_versions_are_a_stack_with_delete_markers():
    history = [
        versioned("put", 0, 1, etags=("a",), version="1"),
        versioned("put", 2, 3, etags=("b",), version="2"),
        versioned("delete", 4, 5, version="3"),
        versioned("read", 6, 7, etags=(None,)),
        versioned("delete-version", 8, 9, version="3"),
        versioned("read", 10, 11, etags=("b",), version="2"),
        versioned("versions", 12, 13, listing=(("1", "a"), ("2", "b"))),
    ]
    assert explain(history)
    history[-1].listing = (("2", "b"),)
    assert not explain(history), "a version that nobody deleted is gone"
    history[-1].listing = (("2", "b"), ("1", "a"))
    assert not explain(history), "the order of versions is that of the writes"


def test_a_version_whose_id_was_never_told_may_be_listed_under_any():
    history = [
        versioned("put", 0, FOREVER, etags=("a",)),
        versioned("versions", 1, 2, listing=(("7", "a"),)),
    ]
    assert explain(history)
    history[0] = versioned("put", 0, 0.5, etags=("a",), version="6")
    assert not explain(history)


def test_a_long_history_is_decided_soon():
    history, clock = [], itertools.count()
    for number in range(60):
        start = next(clock)
        history.append(put(f"{number}", start, start + 2.5 if number % 4 else FOREVER))
        history.append(read(f"{number}", start + 0.5, start + 2))
    began = time.monotonic()
    assert explain(history)
    history.append(read("3", 100, 101))
    assert not explain(history)
    assert time.monotonic() - began < 20


def test_any_is_not_an_id():
    assert Operation(KEY, "read", 0, 1, True, ("a",), ANY).after((("1", "a", ""),))
    assert not Operation(KEY, "read", 0, 1, True, ("a",), "2").after((("1", "a", ""),))


def tag(text, call, end=FOREVER, **more):
    return Operation(KEY, "tag", call, end, end != FOREVER, tags=text, **more)


def tags(text, call, end, **more):
    return Operation(KEY, "tags", call, end, True, tags=text, **more)


GOOD_TAGS = {
    "of the last write": [put("a", 0, 1), tag("x=1", 2, 3), tags("x=1", 4, 5), put("b", 6, 7), tags("", 8, 9)],
    "written along": [put("a", 0, 1, tags="x=1"), tags("x=1", 2, 3)],
    "an unknown write of them, late or never": [put("a", 0, 1), tag("x=1", 2), tags("", 3, 4), tags("x=1", 5, 6)],
    "of a copy": [put("a", 0, 1, tags=ANY), tags("x=9", 2, 3)],
    "of an older version": [
        versioned("put", 0, 1, etags=("a",), version="1"), versioned("put", 2, 3, etags=("b",), version="2"),
        versioned("tag", 4, 5, version="1", tags="x=1"), versioned("tags", 6, 7, version="1", tags="x=1"),
        versioned("tags", 6, 7, tags="")],
}
BAD_TAGS = {
    "lost": [put("a", 0, 1), tag("x=1", 2, 3), tags("", 4, 5)],
    "of a write before": [put("a", 0, 1), tag("x=1", 2, 3), put("b", 4, 5), tags("x=1", 6, 7)],
    "back in time": [put("a", 0, 1), tag("x=1", 2, 3), tag("x=2", 4), tags("x=2", 5, 6), tags("x=1", 7, 8)],
    "of nothing": [put("a", 0, 1), delete(2, 3), tag("x=1", 4, 5)],
    "of another version": [
        versioned("put", 0, 1, etags=("a",), version="1"), versioned("put", 2, 3, etags=("b",), version="2"),
        versioned("tag", 4, 5, version="1", tags="x=1"), versioned("tags", 6, 7, tags="x=1")],
}


@pytest.mark.parametrize("name", GOOD_TAGS)
def test_tags_that_can_be_explained_are_taken(name):
    assert explain(GOOD_TAGS[name])


@pytest.mark.parametrize("name", BAD_TAGS)
def test_tags_that_cannot_be_explained_are_found(name):
    assert not explain(BAD_TAGS[name])
