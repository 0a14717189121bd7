"""A reader that meets a damaged or missing replica serves another one, and has the bad one verified and made anew."""

import pathlib

import pytest

from support.processes import wait_until

TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 2, "order": ["fi-fi-1", "de-de-1"]}}


@pytest.fixture
def stack(stacks):
    stack = stacks.files()
    stack.set_policy(TWO, "--tenant", "alice")
    return stack.start()


def data_files(stack, backend):
    return [pathlib.Path(path) for path in stack.stored(backend) if "marked" in path and path.endswith("%data")]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def jobs(stack):
    return [(job["kind"], job["backend"], job["key"]) for job in stack.s3gw_json("jobs", "list")]


@pytest.mark.parametrize("what", ["damaged", "missing", "cut"])
@pytest.mark.parametrize("backend", ["fi", "de"])
def test_what_a_reader_finds_is_verified_and_repaired(stack, payload, what, backend):
    bucket, body = stack.new_bucket("alice"), payload(300_000)
    raw = stack.raw("alice")
    assert raw.request("PUT", f"/{bucket}/marked", body).status == 200
    stack.worker_once()
    (bad,) = data_files(stack, backend)
    {"damaged": flip, "missing": pathlib.Path.unlink, "cut": lambda path: path.write_bytes(body[:1000])}[what](bad)

    def is_reported():
        # Either replica may be asked; sooner or later it is the bad one, and the client never sees it.
        answer = raw.request("GET", f"/{bucket}/marked")
        assert answer.status == 200 and answer.body == body
        return jobs(stack)

    wait_until(is_reported, "a reader has met the bad replica", 60)
    assert jobs(stack) == [("verify", backend, "marked")]
    done = stack.worker_once()
    assert "damaged 1" in done.stdout and "repaired 1" in done.stdout, done.stdout
    (good,) = data_files(stack, backend)
    assert good != bad and good.read_bytes() == body
    assert jobs(stack) == []
    assert raw.request("GET", f"/{bucket}/marked").body == body
