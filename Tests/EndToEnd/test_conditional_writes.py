"""Of N concurrent conditional writers exactly one wins, whichever process of the pool each one talks to."""

import collections
import concurrent.futures
import pathlib
import threading

import pytest
from conftest import file_stack, radosgw_stack, running, temporary_directory

WRITERS = 32
ROUNDS = 50
PROCESSES = 4


@pytest.fixture(scope="module", params=["file", "radosgw"])
def gateway(authority, request):
    """A pool of several processes for this file alone."""
    with temporary_directory("race") as directory:
        if request.param == "file":
            stack = file_stack(directory, authority, processes=PROCESSES)
        else:
            stack = radosgw_stack(directory, authority, request.getfixturevalue("radosgw"), processes=PROCESSES)
        with running(stack):
            yield stack


@pytest.fixture(scope="module")
def raw(gateway):
    return gateway.raw("alice")


@pytest.fixture(scope="module")
def writers():
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        yield pool


@pytest.fixture(scope="module", params=["unversioned", "Enabled"])
def place(gateway, request):
    bucket = gateway.new_bucket("alice")
    if request.param == "Enabled":
        gateway.boto3("alice").put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": request.param}
        )
    return bucket


def race(writers, send):
    """Lets all writers send at once; returns their answers."""
    start = threading.Barrier(WRITERS)

    def one(number):
        start.wait()
        return send(number)

    return list(writers.map(one, range(WRITERS)))


def the_winner(answers, losing=("PreconditionFailed", "ConditionalRequestConflict")):
    """Returns the number of the one writer that won, after checking that all others lost."""
    winners = [number for number, answer in enumerate(answers) if answer.status in (200, 204)]
    assert len(winners) == 1, collections.Counter(answer.status for answer in answers)
    for number, answer in enumerate(answers):
        assert number == winners[0] or answer.code in losing, answer.body
    return winners[0]


def test_if_none_match_star_has_one_winner(raw, place, writers):
    for turn in range(ROUNDS):
        answers = race(
            writers,
            lambda number: raw.request(
                "PUT", f"/{place}/new-{turn}", f"{number}".encode(), headers=[("If-None-Match", "*")]
            ),
        )
        winner = the_winner(answers)
        assert raw.request("GET", f"/{place}/new-{turn}").body == f"{winner}".encode()


def test_if_match_has_one_winner(raw, place, writers):
    etag = raw.request("PUT", f"/{place}/counter", b"start").header("ETag")
    for turn in range(ROUNDS):
        answers = race(
            writers,
            lambda number: raw.request(
                "PUT", f"/{place}/counter", f"{turn} {number}".encode(), headers=[("If-Match", etag)]
            ),
        )
        winner = the_winner(answers)
        assert raw.request("GET", f"/{place}/counter").body == f"{turn} {winner}".encode()
        etag = answers[winner].header("ETag")


def test_a_conditional_delete_has_one_winner(raw, place, writers):
    for turn in range(ROUNDS):
        etag = raw.request("PUT", f"/{place}/gone-{turn}", f"{turn}".encode()).header("ETag")
        answers = race(
            writers, lambda number: raw.request("DELETE", f"/{place}/gone-{turn}", headers=[("If-Match", etag)])
        )
        the_winner(answers, losing=("NoSuchKey",))
        assert raw.request("GET", f"/{place}/gone-{turn}").status == 404


def test_a_conditional_copy_has_one_winner(raw, place, writers):
    raw.request("PUT", f"/{place}/source", b"source")
    for turn in range(10):
        answers = race(
            writers,
            lambda number: raw.request(
                "PUT",
                f"/{place}/copy-{turn}",
                headers=[("x-amz-copy-source", f"{place}/source"), ("If-None-Match", "*")],
            ),
        )
        the_winner(answers)


def begun_upload(raw, target, body):
    """Begins an upload of one part; returns its id and the document that completes it."""
    upload = raw.request("POST", f"{target}?uploads").xml.findtext("UploadId")
    etag = raw.request("PUT", f"{target}?partNumber=1&uploadId={upload}", body).header("ETag")
    return upload, (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    ).encode()


@pytest.mark.timeout(300)
def test_a_conditional_completion_has_one_winner(raw, place, writers):
    for turn in range(ROUNDS):
        target = f"/{place}/whole-{turn}"
        uploads = list(writers.map(lambda number: begun_upload(raw, target, f"{number}".encode()), range(WRITERS)))
        answers = race(
            writers,
            lambda number: raw.request(
                "POST", f"{target}?uploadId={uploads[number][0]}", uploads[number][1], headers=[("If-None-Match", "*")]
            ),
        )
        winner = the_winner(answers)
        assert raw.request("GET", target).body == f"{winner}".encode()
        for number, (upload, _) in enumerate(uploads):
            if number != winner:
                raw.request("DELETE", f"{target}?uploadId={upload}")


def test_every_process_of_the_pool_takes_part(gateway, raw, place, writers):
    def ticks():
        fields = {pid: pathlib.Path(f"/proc/{pid}/stat").read_text().split() for pid in gateway.pool.children()}
        return {pid: int(field[13]) + int(field[14]) for pid, field in fields.items()}

    before = ticks()
    assert len(before) == PROCESSES
    for turn in range(20):
        race(writers, lambda number: raw.request("PUT", f"/{place}/all-{turn}", b"x", headers=[("If-None-Match", "*")]))
    after = ticks()
    assert sum(after[pid] > before[pid] for pid in before) > 1
