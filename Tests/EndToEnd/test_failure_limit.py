"""Who fails to authenticate too often is told to slow down; who signs rightly is not concerned."""

import json

import pytest

from support.sigv4 import Credentials

LIMIT = 20
MOST = 10 * LIMIT  # requests until the limit is felt, even when windows end meanwhile


@pytest.fixture
def stack(stacks):
    return stacks.files(processes=1, failed_authentications_per_minute=LIMIT).start()


def fail(raw, credentials, until, **options):
    """Sends wrongly signed requests until `until` holds for an answer; returns all answers."""
    answers = []
    while not answers or not until(answers[-1]):
        assert len(answers) < MOST
        answers.append(raw.request("PUT", "/bucket/k", b"x" * 1000, credentials=credentials, **options))
    return answers


def test_above_the_limit_failures_are_503_and_one_line_and_a_right_signature_passes(stack):
    bucket, raw = stack.new_bucket("alice"), stack.raw("alice")
    alice = stack.credentials("alice")
    answers = fail(raw, Credentials(alice.access_key_id, "x" * 40), lambda answer: answer.status == 503)
    told, suppressed = answers[:-1], answers[-1:]
    assert len(told) >= LIMIT - 1  # one was the look whether the gateway is up
    assert {(answer.status, answer.code) for answer in told} == {(403, "SignatureDoesNotMatch")}
    assert suppressed[0].code == "SlowDown"
    assert 1 <= int(suppressed[0].header("Retry-After")) <= 60

    # Neither the key nor the address is locked out.
    assert raw.request("PUT", f"/{bucket}/k", b"right").status == 200
    assert raw.request("GET", f"/{bucket}/k", sign="query").body == b"right"
    assert stack.raw("bob").request("GET", "/").status == 200
    assert raw.request("GET", f"/{bucket}/k", sign=None).code == "AccessDenied"

    # Whoever they claim to be and however they sign, but not one that only has to learn the region.
    for options in ({"payload": "chunked"}, {"sign": "query"}):
        suppressed += fail(raw, Credentials("AKIANOBODY", "x" * 40), lambda answer: answer.status == 503, **options)
    assert raw.request("GET", "/", region="wrong-1").code == "AuthorizationHeaderMalformed"

    stack.stop()
    events = [json.loads(line) for line in (stack.directory / "s3gw-fcgi.log").read_text().splitlines()]
    logged = {event.get("request") for event in events}
    assert told[0].header("x-amz-request-id") in logged
    assert not logged & {answer.header("x-amz-request-id") for answer in suppressed if answer.status == 503}
    lines = [event for event in events if event["message"] == "failed authentications above the limit"]
    assert sum(event["count"] for event in lines) == len([each for each in suppressed if each.status == 503])
    assert lines[0]["address"] == "127.0.0.1" and lines[0]["key"] == alice.access_key_id
    assert len(lines) <= 2  # a window may have ended meanwhile
