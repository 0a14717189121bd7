"""Three ways to the same backend: through the gateway, through nginx `proxy_pass`, and directly."""

import functools
import hashlib
import secrets
from dataclasses import dataclass

from support import sigv4
from support.processes import free_ports
from support.rawclient import RawClient
from support.sigv4 import Credentials
from support.stack import Stack

from . import load, servers

BUCKET = "bench"
SMALL_BYTES = 4 * 1024
LARGE_BYTES = 64 * 1024 * 1024
SMALL_OBJECTS = 256
LARGE_OBJECTS = 2
EXPIRES_SECONDS = 3600
PROCESSES = 2
# For two cores: more threads serve slower backends, and only take each other's turns here.
THREADS = 4


class CachedSigner(sigv4.Signer):
    """Derives the key once: thousands of URLs are signed for one run."""

    @functools.cached_property
    def key(self):
        key = ("AWS4" + self.credentials.secret_access_key).encode()
        for part in self.scope.split("/"):
            key = sigv4._hmac(key, part)
        return key

    def sign(self, text):
        return sigv4._hmac(self.key, text).hex()


@dataclass
class Way:
    name: str
    port: int
    credentials: Credentials
    region: str

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"http://{self.host}"

    def presign(self, method, keys):
        signer = CachedSigner(self.credentials, self.region)
        return [sigv4.presign(signer, method, f"/{BUCKET}/{key}", self.host, EXPIRES_SECONDS) for key in keys]

    @property
    def client(self):
        return RawClient(("127.0.0.1", self.port), self.credentials, self.region)

    def make_bucket(self):
        answer = self.client.request("PUT", f"/{BUCKET}")
        if answer.status not in (200, 201):
            raise load.Invalid(f"{self.name}: the bucket was not made: {answer.status} {answer.body}")

    def put(self, key, body):
        answer = self.client.request("PUT", f"/{BUCKET}/{key}", body, payload="unsigned")
        if answer.status not in (200, 201, 204):
            raise load.Invalid(f"{self.name}: PUT {key}: {answer.status} {answer.body[:500]}")

    def check(self, key, digest):
        answer = self.client.request("GET", f"/{BUCKET}/{key}")
        if answer.status != 200 or hashlib.sha256(answer.body).digest() != digest:
            raise load.Invalid(f"{self.name}: GET {key}: {answer.status}, {len(answer.body)} bytes, not what was put")


class World:
    """One backend, the gateway before it, and the objects that are read."""

    def __init__(self, kind, directory, authority):
        self.kind = kind
        self.directory = directory
        self.stack = None
        self.server = servers.BACKENDS[kind](directory, authority)
        (proxy_port,) = free_ports(1)
        try:
            self.stack = Stack(
                directory, authority, nginx_http_extra=servers.proxy_configuration(self.server, proxy_port),
                processes=PROCESSES, threads=THREADS,
            ).init()
            if kind == "file":
                self.stack.add_file_backend("fi", "FI")
            else:
                self.stack.add_s3_backend("fi", self.server, "FI")
            # Small objects of stores that check If-Match are handed off to nginx (docs/nginx.md).
            self.stack.nginx.http_extra += self.stack.s3gw("nginx", "print", "upstreams")
            self.stack.nginx.server_extra += self.stack.s3gw("nginx", "print", "locations")
            tenant = self.stack.create_tenant("bench")
            self.stack.start()
        except BaseException:
            self.stop()
            raise
        own = Credentials(self.server.access_key_id, self.server.secret_access_key)
        self.ways = [
            Way("gateway", self.stack.nginx.http_port, tenant.credentials, self.stack.settings["region"]),
            Way("proxy", proxy_port, own, self.server.name),
            Way("direct", self.server.port, own, self.server.name),
        ]

    @property
    def gateway_processes(self):
        """The processes that answer requests, without their master."""
        return self.stack.pool.children()

    def groups(self):
        return {
            "nginx": self.stack.nginx.daemon.group(), "gateway": self.stack.pool.group(), "backend": self.server.pids(),
        }

    def fill(self):
        """Writes what is read later, by way of the gateway and directly, and reads it back by all three ways."""
        gateway, proxy, direct = self.ways
        small, large = secrets.token_bytes(SMALL_BYTES), secrets.token_bytes(LARGE_BYTES)
        self.small_file, self.large_file = self.directory / "small", self.directory / "large"
        self.small_file.write_bytes(small)
        self.large_file.write_bytes(large)
        for way in (gateway, direct):
            if way is gateway or self.kind != "file":
                way.make_bucket()
            for number in range(SMALL_OBJECTS):
                way.put(small_key(number), small)
            for number in range(LARGE_OBJECTS):
                way.put(large_key(number), large)
        for way in (gateway, proxy, direct):
            way.check(small_key(0), hashlib.sha256(small).digest())
            way.check(large_key(0), hashlib.sha256(large).digest())

    def stop(self):
        if self.stack:
            self.stack.kill()
        self.server.stop()


def small_key(number):
    return f"read/small-{number:04}"


def large_key(number):
    return f"read/large-{number}"
