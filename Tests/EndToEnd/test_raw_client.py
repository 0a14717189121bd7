"""The raw client itself: what it signs is what AWS and two other signers sign, so that a refusal says something."""

import datetime
import json
import pathlib

import pytest

from support import sigv4

VECTORS = json.loads((pathlib.Path(__file__).parent.parent / "CoreTests/Vectors/sigv4-vectors.json").read_text())
CASES = [case for case in VECTORS["vectors"] if not case["id"].startswith("own-reject-")]


def signer_of(case):
    def field(name):
        return case.get(name, VECTORS["defaults"].get(name))

    when = datetime.datetime.strptime(case["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    credentials = sigv4.Credentials(field("access_key"), field("secret_key"))
    return sigv4.Signer(credentials, field("region"), when, field("service"))


def target_of(case):
    return case["path"] + ("?" + case["wire_query"] if case.get("wire_query") else "")


def rows(*kinds):
    """Rows of these kinds; a seed alone, without chunks, is a header case."""
    return [
        pytest.param(case, id=case["id"])
        for case in CASES
        if case["kind"] in kinds and ("chunks" in case or kinds == ("header",))
    ]


@pytest.mark.parametrize("case", rows("header"))
def test_a_header_signature_is_the_published_one(case):
    names = case["signed_headers"].split(";")
    headers = [tuple(header) for header in case["headers"]]
    signature = signer_of(case).signature(case["method"], target_of(case), headers, names, case["payload_hash"])
    assert signature == case["signature"]


@pytest.mark.parametrize("case", rows("chunked", "chunked-trailer"))
def test_chunk_and_trailer_signatures_are_the_published_ones(case):
    body = (
        case["body_fill"]["byte"].encode() * case["body_fill"]["len"] if "body_fill" in case else case["body"].encode()
    )
    trailer = [tuple(pair) for pair in case.get("trailers", [])]
    chunk_bytes = max(1, case["chunks"][0]["len"])
    parts = sigv4.chunked_body(signer_of(case), case["signature"], body, chunk_bytes, trailer=trailer)
    signed = [part.partition(b"chunk-signature=")[2][:64].decode() for part in parts[: len(case["chunks"])]]
    assert signed == [chunk["signature"] for chunk in case["chunks"]]
    if trailer:
        assert f"x-amz-trailer-signature:{case['trailer_signature']}\r\n".encode() in parts[-1]
