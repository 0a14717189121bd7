"""A whole gateway in one directory: configuration, backends, tenants, the pool, nginx and, when asked for, a worker.

A test writes the world it needs with `add_*` and `create_tenant`, then `start`s it; `stop` ends every process and
fails when one of them had to be killed.
"""

import json
import os
import pathlib
import secrets
import signal
import sqlite3
import subprocess
import time
from dataclasses import dataclass

import boto3
from botocore.config import Config

from . import paths
from .nginx import Nginx
from .processes import Daemon, wait_until
from .rawclient import RawClient
from .sigv4 import Credentials

REGION = "fi-hel-1"
DOMAIN = "s3.localhost"
CLI_SECONDS = 60
RECOVERY_MARK = "/s3gr-"  # what the name of a recovery bucket begins with


@dataclass(frozen=True)
class Tenant:
    name: str
    canonical_id: str
    credentials: Credentials


class Stack:
    def __init__(self, directory, authority, nginx_http_extra="", nginx_server_extra="", nginx_edits=(), **settings):
        self.directory = pathlib.Path(directory)
        self.authority = authority
        self.backends = {}  # name -> directory of a file backend, or Region of a radosgw
        self.tenants = {}
        self.workers = []
        self.pool = None
        self.pool_binary = paths.BINARIES / "s3gw-fcgi"
        self.socket = self.directory / "s3gw.sock"
        self.spool = pathlib.Path(settings.pop("spool_directory", self.directory / "spool"))
        self.spool.mkdir(exist_ok=True)
        self.database_path = pathlib.Path(settings.pop("database", self.directory / "s3gw.db"))
        self.settings = {
            "database": self.database_path,
            "master-key-file": self.directory / "master.key",
            "socket": self.socket,
            "spool-directory": self.spool,
            "processes": 2,
            "threads": 8,
            "region": REGION,
            "log-level": "info",
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        self.configuration = self.directory / "s3gw.conf"
        self.write_configuration()
        self.nginx = Nginx(
            self.directory, self.socket, self.spool, authority, nginx_http_extra, nginx_server_extra, nginx_edits
        )

    # What the operator does before the start.

    def write_configuration(self):
        lines = ["# written by the end-to-end tests"] + [f"{name} = {value}" for name, value in self.settings.items()]
        self.configuration.write_text("\n".join(lines) + "\n")

    def init(self):
        self.s3gw("init")
        return self

    @property
    def environment(self):
        """The caller's environment without anything that would configure the gateway or an S3 client."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("S3GW_", "AWS_"))}
        return clean | {"S3GW_CONFIG": str(self.configuration)}

    def cli(self, *words, input=None, environment=None):
        """Runs `s3gw` and returns the CompletedProcess, whatever its exit code."""
        return subprocess.run(
            [paths.BINARIES / "s3gw", *map(str, words)],
            capture_output=True,
            text=True,
            input=input,
            cwd=self.directory,
            timeout=CLI_SECONDS,
            env=self.environment | (environment or {}),
        )

    def s3gw(self, *words, **options):
        """Runs `s3gw`, which must succeed, and returns what it printed."""
        result = self.cli(*words, **options)
        assert result.returncode == 0, (
            f"s3gw {' '.join(map(str, words))}: {result.returncode}\n{result.stdout}{result.stderr}"
        )
        return result.stdout

    def s3gw_json(self, *words, **options):
        return json.loads(self.s3gw(*words, "--json", **options))

    def add_file_backend(self, name, country, *words, region=None, directory=None):
        directory = pathlib.Path(directory or self.directory / "backends" / name)
        directory.mkdir(parents=True, exist_ok=True)
        self.s3gw(
            "backend",
            "add",
            name,
            "--type",
            "file",
            "--path",
            directory,
            "--country",
            country,
            "--region",
            region or f"{country.lower()}-{name}-1",
            *words,
        )
        self.backends[name] = directory
        return directory

    def add_s3_backend(self, name, gateway, country, *words, tls=False, region=None, addressing="path"):
        secret = self.directory / f"{name}.secret"
        secret.write_text(gateway.secret_access_key)
        secret.chmod(0o600)
        if tls:
            words = ("--ca-file", self.authority.ca, *words)
        self.s3gw(
            "backend",
            "add",
            name,
            "--type",
            "s3",
            "--endpoint",
            gateway.tls_endpoint if tls else gateway.endpoint,
            "--signing-region",
            gateway.name,
            "--addressing",
            addressing,
            "--access-key-id",
            gateway.access_key_id,
            "--secret-file",
            secret,
            "--country",
            country,
            "--region",
            region or f"{country.lower()}-{name}-1",
            *words,
        )
        self.backends[name] = gateway

    def create_tenant(self, name, policy=None):
        tenant = self.s3gw_json("tenant", "create", name)
        self.tenants[name] = Tenant(name, tenant["canonicalId"], self.create_key(name))
        if policy:
            self.set_policy(policy, "--tenant", name)
        return self.tenants[name]

    def create_key(self, tenant):
        key = self.s3gw_json("key", "create", tenant)
        return Credentials(key["accessKeyId"], key["secretAccessKey"])

    def set_policy(self, policy, *words):
        self.s3gw("policy", "set", *words, "-", input=json.dumps(policy))

    # The processes.

    def start(self, workers=0):
        self.start_pool()
        self.nginx.start()
        wait_until(self.answers, "the gateway answers")
        for _ in range(workers):
            self.start_worker()
        return self

    def start_pool(self):
        self.pool = Daemon(
            "s3gw-fcgi",
            [self.pool_binary, "--config", self.configuration],
            self.directory,
            self.environment,
        )
        wait_until(lambda: self.pool_is_up(), "the pool listens")

    def pool_is_up(self):
        if not self.pool.running:
            raise SystemError(self.pool.tail())
        return self.socket.exists()

    def start_worker(self, *words):
        worker = Daemon(
            f"s3gw-worker-{len(self.workers)}",
            [paths.BINARIES / "s3gw-worker", "run", "--config", self.configuration, *words],
            self.directory,
            self.environment,
        )
        self.workers.append(worker)
        return worker

    def worker_once(self, leaves_work=False):
        """Lets one worker do all that is due; `leaves_work` says whether jobs stay that it could not do.

        A job that has to wait for another, such as the end of a bucket for its last object, is due again a second later:
        without `leaves_work` it gets that second, twice.
        """
        result = self.run_worker_once()
        for _ in range(0 if leaves_work else 2):
            if result.returncode != 1 or " 0 given up" not in result.stdout + result.stderr:
                break
            time.sleep(1)
            result = self.run_worker_once()
        assert result.returncode == int(leaves_work), result.stdout + result.stderr
        return result

    def run_worker_once(self):
        return subprocess.run(
            [paths.BINARIES / "s3gw-worker", "once", "--config", self.configuration],
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS,
            env=self.environment,
            cwd=self.directory,
        )

    def answers(self):
        answer = self.raw(credentials=Credentials("nobody", "nothing")).request("GET", "/")
        assert answer.status == 403, (answer.status, answer.body)
        return True

    def reload(self):
        self.pool.send(signal.SIGHUP)

    @property
    def daemons(self):
        return [daemon for daemon in (*self.workers, self.nginx.daemon, self.pool) if daemon]

    def stop(self):
        """Asks every process to end; an AssertionError when one did not, or left a child."""
        problems = []
        for daemon in self.daemons:
            try:
                daemon.stop()
            except AssertionError as problem:
                problems.append(str(problem))
        assert not problems, "\n".join(problems)

    def kill(self):
        for daemon in self.daemons:
            daemon.kill()

    def tails(self):
        return "\n".join([*(daemon.tail() for daemon in self.daemons), self.nginx.tail()])

    # What clients need.

    @property
    def https_url(self):
        return f"https://127.0.0.1:{self.nginx.https_port}"

    @property
    def http_url(self):
        return f"http://127.0.0.1:{self.nginx.http_port}"

    def credentials(self, tenant=None):
        tenant = tenant or next(iter(self.tenants))
        return self.tenants[tenant].credentials

    def boto3(self, tenant=None, url=None, credentials=None, **configuration):
        """Returns a client over TLS with boto3's defaults; only what a test names in `configuration` differs."""
        credentials = credentials or self.credentials(tenant)
        return boto3.client(
            "s3",
            endpoint_url=url or self.https_url,
            region_name=self.settings["region"],
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            verify=str(self.authority.ca),
            config=Config(**configuration) if configuration else None,
        )

    def raw(self, tenant=None, tls=False, credentials=None, host=None):
        return RawClient(
            ("127.0.0.1", self.nginx.https_port if tls else self.nginx.http_port),
            credentials or self.credentials(tenant),
            self.settings["region"],
            host,
            self.authority.ca if tls else None,
        )

    def client_environment(self, tenant=None):
        """The environment variables by which every AWS tool finds this gateway."""
        credentials = self.credentials(tenant)
        return self.environment | {
            "AWS_ENDPOINT_URL": self.https_url,
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_DEFAULT_REGION": self.settings["region"],
            "AWS_REGION": self.settings["region"],
            "AWS_CA_BUNDLE": str(self.authority.ca),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "HOME": str(self.directory),
        }

    def new_bucket(self, tenant=None, **options):
        name = f"bucket-{secrets.token_hex(6)}"
        self.boto3(tenant).create_bucket(Bucket=name, **options)
        return name

    # What really lies where.

    def query(self, sql, *values):
        """Returns the rows of one statement on the gateway's database, read only."""
        connection = sqlite3.connect(f"file:{self.database_path}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def insert_job(self, kind, bucket, key, backend):
        """Asks for a job about the current version of a key, as a reader or a scrub does."""
        connection = sqlite3.connect(self.database_path, timeout=10)
        with connection:
            connection.execute(
                """INSERT INTO jobs (
                    kind, urgency, bucket_id, version_id, backend_id, state, not_before, due_at, created_at)
                SELECT ?, 1, v.bucket_id, v.id, b.id, 'ready', 0, 0, 0
                FROM versions v JOIN buckets u ON u.id = v.bucket_id, backends b
                WHERE v.state = 'live' AND u.name = ? AND v.key = ? AND b.name = ?""",
                (kind, bucket.encode(), key.encode(), backend),
            )
        connection.close()

    def stored(self, backend=None):
        """Returns {path: size} of every file below a file backend, or below all of them, but for the recovery buckets."""
        return {path: size for path, size in self._files(backend).items() if RECOVERY_MARK not in path}

    def recorded(self, backend=None):
        """Returns {path: size} of every file in the recovery buckets of a file backend, or of all of them."""
        return {path: size for path, size in self._files(backend).items() if RECOVERY_MARK in path}

    def _files(self, backend):
        roots = (
            [self.backends[backend]]
            if backend
            else [each for each in self.backends.values() if isinstance(each, pathlib.Path)]
        )
        found = {}
        for root in roots:
            for path in root.rglob("*"):
                try:
                    if path.is_file():
                        found[str(path)] = path.stat().st_size
                except FileNotFoundError:
                    continue
        return found
