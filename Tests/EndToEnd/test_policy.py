"""Data residency and replica counts: no byte where the policy does not allow it, refusals before any byte moves."""

import concurrent.futures
import json
import threading

import pytest

from support.processes import wait_until

FINLAND = {"residency": {"allow": ["country:FI"]}}
TWO_COUNTRIES = {
    "residency": {"allow": ["country:FI", "country:DE"]},
    "replicas": {"count": 2, "distinct": "country", "acknowledge": "all"},
}


def holders(stack, marker):
    """Returns the names of the file backends that hold a file whose path has `marker` in it."""
    return sorted(name for name in stack.backends if any(marker in path for path in stack.stored(name)))


@pytest.fixture
def stack(stacks):
    stack = stacks.files()
    stack.start()
    return stack


def test_objects_land_only_where_the_tenants_policy_allows(stack, payload):
    stack.set_policy(FINLAND, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    before = {name: stack.stored(name) for name in ("de", "fr")}
    for number in range(20):
        stack.boto3("alice").put_object(Bucket=bucket, Key=f"restricted-{number}", Body=payload(1000))
    assert holders(stack, "restricted") == ["fi"]
    assert {name: stack.stored(name) for name in ("de", "fr")} == before, "not even a temporary file may appear"


def test_the_order_of_the_policy_chooses_the_primary(stack):
    for primary, other in (("fr-fr-1", "fi-fi-1"), ("fi-fi-1", "fr-fr-1")):
        stack.set_policy({"replicas": {"order": [primary, other]}}, "--tenant", "alice")
        bucket = stack.new_bucket("alice")
        stack.boto3("alice").put_object(Bucket=bucket, Key=f"ordered-{primary}", Body=b"x")
        assert holders(stack, f"ordered-{primary}") == [primary[:2]]


def test_acknowledge_all_means_every_replica_is_there_when_the_answer_comes(stack, payload):
    stack.set_policy(TWO_COUNTRIES, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    body = payload(70_000)
    stack.boto3("alice").put_object(Bucket=bucket, Key="twice", Body=body)
    assert holders(stack, "twice") == ["de", "fi"]


def test_acknowledge_one_answers_with_one_and_the_worker_makes_the_rest(stack, payload):
    policy = {**TWO_COUNTRIES, "replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}
    stack.set_policy(policy, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    stack.boto3("alice").put_object(Bucket=bucket, Key="soon-twice", Body=payload(1000))
    assert len(holders(stack, "soon-twice")) == 1
    stack.worker_once()
    assert holders(stack, "soon-twice") == ["de", "fi"]


@pytest.mark.parametrize(
    "policy",
    [
        {"residency": {"allow": ["country:US"]}},
        {"residency": {"allow": ["country:FI"], "deny": ["jurisdiction:EU"]}},
        {"residency": {"require": ["iso27001"]}},
        {"residency": {"deny": ["jurisdiction:EU"]}},
        {"residency": {"allow": ["country:FI"]}, "replicas": {"count": 2}},
        {"replicas": {"count": 4}},
    ],
)
def test_too_few_allowed_backends_is_a_4xx_before_any_byte_moves(stack, policy):
    bucket = stack.new_bucket("alice")
    stack.set_policy(policy, "--tenant", "alice")
    before = stack.stored()
    answer = stack.raw("alice").request("PUT", f"/{bucket}/k", b"must not move")
    assert 400 <= answer.status < 500 and answer.code == "PlacementPolicyViolation", answer.body
    assert stack.stored() == before
    assert stack.query("SELECT count(*) FROM versions") == [(0,)]


def test_a_certificate_that_a_backend_has_satisfies_the_policy_that_requires_it(stacks):
    stack = stacks.bare()
    stack.add_file_backend("plain", "FI")
    stack.add_file_backend("certified", "FI", "--certification", "iso27001")
    stack.create_tenant("alice", {"residency": {"require": ["iso27001"]}})
    stack.start()
    bucket = stack.new_bucket("alice")
    stack.boto3("alice").put_object(Bucket=bucket, Key="kept-safe", Body=b"x")
    assert holders(stack, "kept-safe") == ["certified"]


def test_a_bucket_policy_narrows_the_tenants(stack):
    bucket = stack.new_bucket("alice")
    stack.set_policy({"residency": {"allow": ["jurisdiction:EU"]}}, "--tenant", "alice")
    stack.set_policy({"residency": {"allow": ["country:FR"]}}, "--bucket", bucket, "--tenant", "alice")
    stack.boto3("alice").put_object(Bucket=bucket, Key="in-france", Body=b"x")
    assert holders(stack, "in-france") == ["fr"]


def test_a_bucket_policy_cannot_widen_the_tenants(stack):
    stack.set_policy(FINLAND, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    result = stack.cli(
        "policy",
        "set",
        "--bucket",
        bucket,
        "--tenant",
        "alice",
        "-",
        input=json.dumps({"residency": {"allow": ["country:FR"]}}),
    )
    answer = stack.raw("alice").request("PUT", f"/{bucket}/k", b"x")
    # Refused when it is set, or when it is used: in no case does a byte go to France.
    assert result.returncode != 0 or (400 <= answer.status < 500)
    assert not stack.stored("fr")


@pytest.mark.parametrize(
    "text, word",
    [
        ('{"residency": {"allow": ["planet:Mars"]}}', "planet"),
        ('{"residency": {"allow": ["country:Finland"]}}', "country"),
        ('{"residence": {}}', "residence"),
        ('{"replicas": {"count": 0}}', "count"),
        ('{"replicas": {"count": "two"}}', "count"),
        ('{"replicas": {"count": 2, "acknowledge": 3}}', "acknowledge"),
        ('{"replicas": {"count": 2, "acknowledge": "most"}}', "acknowledge"),
        ('{"replicas": {"distinct": "shoe-size"}}', "distinct"),
        ('{"residency": ', ""),
        ("[]", ""),
        ('{"residency": ' + '{"a": ' * 40 + "1" + "}" * 41, ""),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_and_the_error_names_the_place(stack, text, word):
    result = stack.cli("policy", "set", "--tenant", "alice", "-", input=text)
    assert result.returncode in (1, 2, 3) and word in result.stderr + result.stdout
    assert "Traceback" not in result.stderr and "Fatal" not in result.stderr


def test_the_effective_policy_can_be_asked_for(stack):
    stack.set_policy(TWO_COUNTRIES, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    text = stack.s3gw("policy", "effective", "--bucket", bucket, "--tenant", "alice", "--json")
    assert json.loads(text)
    assert "country:FI" in text and "country:FR" not in text


def test_a_location_constraint_outside_the_policy_is_refused(stack):
    stack.set_policy(FINLAND, "--tenant", "alice")
    body = b"<CreateBucketConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><LocationConstraint>fr-fr-1</LocationConstraint></CreateBucketConfiguration>"
    answer = stack.raw("alice").request("PUT", "/to-france", body)
    assert 400 <= answer.status < 500, answer.body
    assert stack.raw("alice").request("HEAD", "/to-france").status == 404


@pytest.mark.parametrize("state", ["read-only", "draining", "offline"])
def test_a_backend_that_is_not_active_takes_no_new_bytes(stack, state, payload):
    stack.set_policy({"replicas": {"order": ["fi-fi-1", "de-de-1"]}}, "--tenant", "alice")
    bucket = stack.new_bucket("alice")
    s3 = stack.boto3("alice")
    s3.put_object(Bucket=bucket, Key="before", Body=b"before")
    assert holders(stack, "before") == ["fi"]
    stack.s3gw("backend", "set-state", "fi", state)

    def goes_elsewhere():
        s3.put_object(Bucket=bucket, Key="after", Body=b"after")
        return holders(stack, "after") == ["de"]

    # The pool's processes may keep what they read about backends for a moment, and no longer.
    wait_until(goes_elsewhere, "the new state holds in every process", 10)
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"later-{number}", Body=b"x")
    assert holders(stack, "later") == ["de"]
    if state != "offline":
        assert s3.get_object(Bucket=bucket, Key="before")["Body"].read() == b"before"


def test_the_region_that_every_sdk_names_is_no_constraint(stacks):
    """aws s3 mb sends its own region as LocationConstraint, also where a backend has the site's region as its label."""
    stack = stacks.bare(region="fi-hel-1").init()
    stack.add_file_backend("one", "FI", region="fi-hel-1")
    stack.add_file_backend("two", "DE", region="de-fra-1")
    stack.create_tenant("alice", TWO_COUNTRIES)
    stack.start()
    s3 = stack.boto3("alice")
    s3.create_bucket(Bucket="anywhere", CreateBucketConfiguration={"LocationConstraint": "fi-hel-1"})
    s3.put_object(Bucket="anywhere", Key="k", Body=b"x")
    assert holders(stack, "/k~") == ["one", "two"]


def test_a_read_during_an_overwrite_gets_one_whole_version(stack):
    """The worker removes the old bytes at once: a reader who was about to fetch them gets the new ones instead."""
    bucket, s3, versions = stack.new_bucket("alice"), stack.boto3("alice"), 150
    s3.put_object(Bucket=bucket, Key="k", Body=b"0" * 5000)
    stack.start_worker()
    seen, stop = [], threading.Event()

    def read():
        client = stack.boto3("alice", retries={"max_attempts": 1})
        while not stop.is_set():
            body = client.get_object(Bucket=bucket, Key="k")["Body"].read()
            seen.append(len(set(body)) == 1 and len(body) == 5000)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for number in range(versions):
            s3.put_object(Bucket=bucket, Key="k", Body=str(number % 10).encode() * 5000)
        stop.set()
        for reader in readers:
            reader.result()
    assert len(seen) > versions / 2 and all(seen)
