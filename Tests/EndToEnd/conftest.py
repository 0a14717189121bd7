"""Fixtures: one gateway over directories and one over three radosgw regions for the whole run, others on request."""

import contextlib
import pathlib
import secrets
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.certificates import Authority  # noqa: E402
from support.radosgw import RadosGateways  # noqa: E402
from support.stack import Stack  # noqa: E402


def pytest_configure():
    # `timeout` and CI end a run by SIGTERM: fixtures must still end what they started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the ends of the logs of the stacks a failed test used."""
    outcome = yield
    report = outcome.get_result()
    # At a teardown the logs may be gone already; a process that does not end tells its own.
    if report.failed and call.when != "teardown":
        for value in getattr(item, "funcargs", {}).values():
            for stack in value.stacks if isinstance(value, StackFactory) else [value]:
                if isinstance(stack, Stack):
                    report.sections.append((f"logs below {stack.directory}", stack.tails()))


@contextlib.contextmanager
def temporary_directory(prefix):
    """A short path (unix sockets have room for 107 bytes), removed at the end."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"s3gw-{prefix}-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def authority():
    with temporary_directory("ca") as directory:
        yield Authority(directory)


@pytest.fixture(scope="session")
def radosgw(authority):
    with temporary_directory("rgw") as directory:
        gateways = RadosGateways(directory / "ceph", authority)
        try:
            yield gateways
        finally:
            gateways.down()


def file_stack(directory, authority, **settings):
    """Three file backends in three countries and two tenants without a policy of their own; not started."""
    stack = Stack(directory, authority, **settings).init()
    for name, country in (("fi", "FI"), ("de", "DE"), ("fr", "FR")):
        stack.add_file_backend(name, country, "--jurisdiction", "EU")
    for tenant in ("alice", "bob"):
        stack.create_tenant(tenant)
    return stack


def radosgw_stack(directory, authority, radosgw, **settings):
    """The three radosgw regions as backends in three countries; r3 over https."""
    stack = Stack(directory, authority, **settings).init()
    for name, region, country in (("fi", "r1", "FI"), ("de", "r2", "DE"), ("fr", "r3", "FR")):
        stack.add_s3_backend(name, radosgw[region], country, "--jurisdiction", "EU", tls=region == "r3")
    for tenant in ("alice", "bob"):
        stack.create_tenant(tenant)
    return stack


@contextlib.contextmanager
def running(stack):
    try:
        stack.start()
        yield stack
        stack.stop()
    finally:
        stack.kill()


@pytest.fixture(scope="session")
def gateway(authority):
    """The gateway that most tests share: file backends. No test may stop it or change its tenants' policies."""
    with temporary_directory("files") as directory, running(file_stack(directory, authority)) as stack:
        yield stack


@pytest.fixture(scope="session")
def radosgw_gateway(authority, radosgw):
    """The gateway over three radosgw regions that tests share."""
    with temporary_directory("rados") as directory, running(radosgw_stack(directory, authority, radosgw)) as stack:
        yield stack


@pytest.fixture(scope="session", params=["file", "radosgw"])
def world(request):
    """The same test against both kinds of backends."""
    return request.getfixturevalue("gateway" if request.param == "file" else "radosgw_gateway")


class StackFactory:
    """Makes stacks for one test and ends them with it."""

    def __init__(self, authority):
        self.authority = authority
        self.exits = contextlib.ExitStack()
        self.stacks = []

    def directory(self, prefix="test"):
        return self.exits.enter_context(temporary_directory(prefix))

    def bare(self, directory=None, **settings):
        """A stack with a database and nothing in it; not started."""
        return self.keep(Stack(directory or self.directory(), self.authority, **settings).init())

    def files(self, **settings):
        """Three file backends and the tenants alice and bob; not started."""
        return self.keep(file_stack(self.directory(), self.authority, **settings))

    def over(self, radosgw, **settings):
        """Three radosgw backends and the tenants alice and bob; not started."""
        return self.keep(radosgw_stack(self.directory(), self.authority, radosgw, **settings))

    def keep(self, stack):
        self.stacks.append(stack)
        self.exits.callback(stack.kill)
        return stack


@pytest.fixture
def stacks(authority):
    factory = StackFactory(authority)
    with factory.exits:
        yield factory


@pytest.fixture(scope="session")
def s3(gateway):
    return gateway.boto3("alice")


@pytest.fixture(scope="session")
def raw(gateway):
    return gateway.raw("alice")


@pytest.fixture
def bucket(gateway):
    return gateway.new_bucket("alice")


@pytest.fixture
def payload():
    """A function that makes `size` bytes that no other call makes."""
    return lambda size: secrets.token_bytes(size)
