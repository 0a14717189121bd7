"""Range in all its forms, and the conditions on reads and on PutObject (RFC 9110, 13 and 14)."""

import datetime
import hashlib
import threading

import pytest

BODY = bytes(range(256)) * 40  # 10,240 bytes
SIZE = len(BODY)
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'
OTHER = f'"{hashlib.md5(b"other").hexdigest()}"'


@pytest.fixture(scope="module")
def target(gateway, raw):
    bucket = gateway.new_bucket("alice")
    assert raw.request("PUT", f"/{bucket}/k", BODY).status == 200
    assert raw.request("PUT", f"/{bucket}/empty", b"").status == 200
    return f"/{bucket}/k"


def date(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize(
    "value, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=100-199", 100, 199),
        ("bytes=10239-10239", SIZE - 1, SIZE - 1),
        ("bytes=10000-", 10000, SIZE - 1),
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        ("bytes=-500", SIZE - 500, SIZE - 1),
        ("bytes=-999999", 0, SIZE - 1),
        ("bytes=5000-999999", 5000, SIZE - 1),
        ("bytes=5-99999999999999999999999999", 5, SIZE - 1),
    ],
)
def test_a_range_gives_exactly_those_bytes(raw, target, value, first, last):
    answer = raw.request("GET", target, headers=[("Range", value)])
    assert answer.status == 206
    assert answer.body == BODY[first : last + 1]
    assert answer.header("Content-Range") == f"bytes {first}-{last}/{SIZE}"
    assert answer.header("Content-Length") == str(last - first + 1)
    assert answer.header("ETag") == ETAG
    head = raw.request("HEAD", target, headers=[("Range", value)])
    assert (head.status, head.header("Content-Range")) == (206, f"bytes {first}-{last}/{SIZE}")


@pytest.mark.parametrize(
    "value", ["bytes=10240-", "bytes=10240-10250", "bytes=99999-", "bytes=-0", "bytes=99999999999999999999-"]
)
def test_a_range_outside_the_object_is_416(raw, target, value):
    answer = raw.request("GET", target, headers=[("Range", value)])
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert answer.header("Content-Range") in (f"bytes */{SIZE}", None)
    assert answer.xml.findtext("ActualObjectSize") == str(SIZE)


@pytest.mark.parametrize(
    "value",
    ["bytes=5-4", "bytes=a-b", "bytes=-", "bytes=", "lines=0-5", "0-5", "bytes=0-1,4-5", "bytes=+1-5", "bytes 0-5"],
)
def test_a_range_that_is_none_or_more_than_one_is_ignored(raw, target, value):
    answer = raw.request("GET", target, headers=[("Range", value)])
    assert (answer.status, answer.body) == (200, BODY)


def test_ranges_of_an_empty_object(raw, target):
    empty = target.replace("/k", "/empty")
    assert raw.request("GET", empty, headers=[("Range", "bytes=0-")]).status == 416
    assert raw.request("GET", empty).body == b""


LAST_MODIFIED = "the object's own"  # replaced by what HEAD says
CONDITIONS = [
    # headers, expected status; RFC 9110 13.2.2 gives the order of evaluation
    ([("If-Match", ETAG)], 200),
    ([("If-Match", ETAG.strip('"'))], 200),
    ([("If-Match", f"{OTHER}, {ETAG}")], 200),
    ([("If-Match", "*")], 200),
    ([("If-Match", OTHER)], 412),
    ([("If-None-Match", OTHER)], 200),
    ([("If-None-Match", ETAG)], 304),
    ([("If-None-Match", "*")], 304),
    ([("If-None-Match", f"{OTHER}, {ETAG}")], 304),
    ([("If-Modified-Since", date(-3600))], 200),
    ([("If-Modified-Since", LAST_MODIFIED)], 304),
    ([("If-Unmodified-Since", LAST_MODIFIED)], 200),
    ([("If-Unmodified-Since", date(-3600))], 412),
    ([("If-Match", ETAG), ("If-Unmodified-Since", date(-3600))], 200),
    ([("If-None-Match", OTHER), ("If-Modified-Since", LAST_MODIFIED)], 200),
    ([("If-None-Match", ETAG), ("If-Modified-Since", date(-3600))], 304),
    ([("If-Modified-Since", "not a date")], 200),
    ([("If-Unmodified-Since", "not a date")], 200),
]


@pytest.mark.parametrize("headers, status", CONDITIONS)
def test_conditions_on_reads(raw, target, headers, status):
    modified = raw.request("HEAD", target).header("Last-Modified")
    headers = [(name, modified if value == LAST_MODIFIED else value) for name, value in headers]
    answer = raw.request("GET", target, headers=headers)
    assert answer.status == status
    assert raw.request("HEAD", target, headers=headers).status == status
    if status == 200:
        assert answer.body == BODY
    elif status == 412:
        assert answer.code == "PreconditionFailed"
    else:
        assert answer.body == b"" and answer.header("ETag") == ETAG


def test_if_range_decides_between_the_range_and_the_whole(raw, target):
    same = raw.request("GET", target, headers=[("Range", "bytes=0-9"), ("If-Range", ETAG)])
    assert (same.status, same.body) == (206, BODY[:10])
    changed = raw.request("GET", target, headers=[("Range", "bytes=0-9"), ("If-Range", OTHER)])
    assert (changed.status, changed.body) == (200, BODY)


def test_a_failed_condition_beats_an_unsatisfiable_range(raw, target):
    answer = raw.request("GET", target, headers=[("Range", "bytes=99999-"), ("If-Match", OTHER)])
    assert (answer.status, answer.code) == (412, "PreconditionFailed")


def test_put_if_none_match_star_creates_once(gateway, raw, bucket):
    path = f"/{bucket}/once"
    assert raw.request("PUT", path, b"first", headers=[("If-None-Match", "*")]).status == 200
    stored = gateway.stored()
    answer = raw.request("PUT", path, b"second", headers=[("If-None-Match", "*")])
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    assert raw.request("GET", path).body == b"first"
    assert set(gateway.stored()) <= set(stored), "a refused write left bytes behind"
    raw.request("DELETE", path)
    assert raw.request("PUT", path, b"third", headers=[("If-None-Match", "*")]).status == 200


def test_put_if_match_replaces_only_what_it_names(raw, bucket):
    path = f"/{bucket}/k"
    answer = raw.request("PUT", path, b"x", headers=[("If-Match", ETAG)])
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    raw.request("PUT", path, BODY)
    answer = raw.request("PUT", path, b"x", headers=[("If-Match", OTHER)])
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    assert raw.request("GET", path).body == BODY
    assert raw.request("PUT", path, b"new", headers=[("If-Match", ETAG)]).status == 200
    assert raw.request("GET", path).body == b"new"


def test_put_if_none_match_with_an_etag_is_501(raw, bucket):
    answer = raw.request("PUT", f"/{bucket}/k", b"x", headers=[("If-None-Match", ETAG)])
    assert (answer.status, answer.code) == (501, "NotImplemented")


def test_of_many_conditional_creations_at_once_exactly_one_wins(raw, bucket):
    answers = {}

    def create(number):
        answers[number] = raw.request("PUT", f"/{bucket}/race", b"%d" % number * 1000, headers=[("If-None-Match", "*")])

    threads = [threading.Thread(target=create, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number, answer in answers.items() if answer.status == 200]
    assert len(winners) == 1, {number: answer.status for number, answer in answers.items()}
    assert all(answers[number].status in (409, 412) for number in answers if number not in winners)
    assert raw.request("GET", f"/{bucket}/race").body == b"%d" % winners[0] * 1000
