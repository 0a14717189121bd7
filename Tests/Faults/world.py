"""The world of one run: a gateway with every part that a fault can meet, built on the end-to-end tests' harness.

Stores fi, de and us speak S3 behind the fault proxy (rclone, or radosgw when asked for); se is a directory. Spool,
database and se lie on small disks of their own when we may mount them. The programs run with the shim: a clock that can be
stepped, and a database disk that forgets at a power cut what was not synced.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass, field

from support import paths
from support.processes import Daemon, free_ports, wait_until
from support.radosgw import RadosGateways, Region
from support.stack import Stack

import proxy
import treedisk

HERE = pathlib.Path(__file__).parent
LEASE_SECONDS = 5
RECONCILE_RUNS = 3  # what is unknown has to be seen again before it is removed
MIB = 1 << 20
DISKS = {"spool": 48 * MIB, "database": 96 * MIB, "se": 128 * MIB}
PROXIED = ("fi", "de", "us")
COUNTRIES = {"fi": "FI", "de": "DE", "se": "SE", "us": "US"}
RCLONE_KEY, RCLONE_SECRET = "FAULTSUITEACCESSKEY", "faultsuitesecretaccesskey0123456789abcdef"
PORT_ATTEMPTS = 5
READY = "the fault proxy listens"
NOTE_BYTES = 16  # struct note of the shim
NGINX_EDITS = [
    ("fastcgi_read_timeout 300s", "fastcgi_read_timeout 30s"),
    ("proxy_read_timeout 10s", "proxy_read_timeout 2s"),
]
# Bugs that are planted in nginx's configuration instead of the programs.
NGINX_BUGS = {
    "blind-retry": [
        ("fastcgi_read_timeout 30s", "fastcgi_read_timeout 1s"),
        ("fastcgi_next_upstream off", "fastcgi_next_upstream error timeout"),
    ],
    "hand-off-unconditional": [("proxy_set_header If-Match $s3gw_out_etag;", "")],
    "hand-off-believes-errors": [("proxy_intercept_errors on;", "proxy_intercept_errors off;")],
}
POLICIES = {
    "alice": {"residency": {"allow": ["jurisdiction:EU"]}, "replicas": {"count": 1, "acknowledge": 1}},
    "bob": {
        "residency": {"allow": ["country:FI", "country:US"]},
        "replicas": {"count": 2, "distinct": "country", "acknowledge": "all"},
    },
}


@dataclass(frozen=True)
class Bucket:
    tenant: str
    name: str
    keys: int
    backends: tuple  # where its bytes may be
    replicas: int
    versioned: bool = False
    still: bool = False  # its objects stay, and only their number of replicas changes
    policy: dict = field(default=None, hash=False)

    @property
    def key_names(self):
        # The physical key is readable: tenant and bucket in it tell whose bytes went by, to proxies and directories.
        return [f"{self.tenant}-{self.name}/{number:02d}" for number in range(self.keys)]


EU = ("fi", "de", "se")
TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}
# The third replica, which comes and goes, is on a store behind the proxy.
TWO_AND_THEN_GERMANY = {"replicas": TWO["replicas"] | {"order": ["se-se-1", "fi-fi-1", "de-de-1"]}}
ONLY_GERMANY = {"residency": {"allow": ["country:DE"]}, "replicas": {"count": 1, "acknowledge": 1}}
BUCKETS = (
    Bucket("alice", "plain", 8, EU, 2, policy=TWO),
    Bucket("alice", "versioned", 4, EU, 2, versioned=True, policy=TWO),
    Bucket("alice", "strict", 4, ("de",), 1, policy=ONLY_GERMANY),
    Bucket("alice", "shared", 3, EU, 2, policy=TWO),
    Bucket("alice", "still", 8, EU, 2, still=True, policy=TWO_AND_THEN_GERMANY),
    Bucket("bob", "shared", 3, ("fi", "us"), 2),
    Bucket("bob", "own", 4, ("fi", "us"), 2),
)


def build_shim(directory):
    """Compiles the shim and returns its path."""
    shim = pathlib.Path(directory) / "faultshim.so"
    words = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", shim, HERE / "shim/faultshim.c"]
    subprocess.run([*words, "-ldl"], check=True, timeout=60)
    return shim


class SmallDisk:
    """A tmpfs of its own; `full` takes the room that is left, `freed` gives it back."""

    def __init__(self, directory, size):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.mounted = os.geteuid() == 0
        if self.mounted:
            words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", self.directory]
            self.mounted = subprocess.run(words, capture_output=True, timeout=10).returncode == 0

    def fill(self):
        if not self.mounted:
            return False
        with open(self.directory / "ballast", "wb", buffering=0) as file:
            try:
                for size in (MIB, 4096, 512):
                    while True:
                        file.write(b"\0" * size)
                        if os.fstat(file.fileno()).st_size > max(DISKS.values()):
                            raise AssertionError("the small disk is not small")
            except OSError:
                pass
        return True

    def free(self):
        (self.directory / "ballast").unlink(missing_ok=True)

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.directory], check=True, timeout=10)


class Rclone:
    """`rclone serve s3` over a directory: a store of its own, with its signature check."""

    def __init__(self, name, directory):
        self.name, self.root = name, pathlib.Path(directory) / "objects"
        self.root.mkdir(parents=True)
        for _ in range(PORT_ATTEMPTS):
            (self.port,) = free_ports(1)
            words = [paths.CLIENTS / "rclone", "serve", "s3", self.root, "--addr", f"127.0.0.1:{self.port}"]
            words += ["--auth-key", f"{RCLONE_KEY},{RCLONE_SECRET}", "--config", "/dev/null", "--vfs-cache-mode", "off"]
            environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
            self.daemon = Daemon(f"rclone-{name}", words, directory, environment)
            wait_until(lambda: not self.daemon.running or "Starting" in self.daemon.log.read_text(), "rclone serves")
            if self.daemon.running:
                break

    def region(self, port):
        return Region(self.name, f"http://127.0.0.1:{port}", "", RCLONE_KEY, RCLONE_SECRET, self.daemon.pid)

    def objects(self):
        """Returns {(bucket, key): path} of everything in this store."""
        return {
            (path.relative_to(self.root).parts[0], "/".join(path.relative_to(self.root).parts[1:])): path
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def stop(self):
        os.kill(self.daemon.pid, signal.SIGCONT)
        self.daemon.kill()


class World(Stack):
    """A Stack whose daemons run with the shim; `start_world` builds everything, `close` ends it."""

    def __init__(
        self, directory, authority, shim, stores="rclone", planted=None, worker_concurrency=6, hands_off=False
    ):
        self.shim, self.planted, self.hands_off = shim, planted, hands_off
        self.base = pathlib.Path(directory)
        self.disks = {name: SmallDisk(self.base / "disks" / name, size) for name, size in DISKS.items()}
        self.clocks = {}
        self.guarded = False  # the shim's disk is only used once the database is set up
        edits = NGINX_EDITS + NGINX_BUGS.get(planted, [])
        blind = {}
        if planted == "blind-retry":
            socket = f"unix:{self.base}/s3gw.sock"
            twice = f"upstream twice {{ server {socket} max_fails=0; server {socket} max_fails=0; }}"
            blind = {"nginx_http_extra": twice, "nginx_server_extra": "set $s3gw_pool twice;"}
        super().__init__(
            directory,
            authority,
            spool_directory=self.disks["spool"].directory / "spool",
            database=self.disks["database"].directory / "s3gw.db",
            nginx_edits=edits,
            processes=3,
            threads=8,
            lease_seconds=LEASE_SECONDS,
            worker_concurrency=worker_concurrency,
            worker_poll_interval="100ms",
            drain_timeout="5s",
            **blind,
        )
        self.kind_of_stores = stores
        self.nginx.environment = {"PATH": os.environ["PATH"]} | self.with_clock("nginx")
        self.stores, self.radosgw, self.proxy, self.control = {}, None, None, None
        self.record, self.flips = self.base / "record.jsonl", self.base / "flips.jsonl"
        self.old_pools = []
        self.worker_count = 0

    # Building.

    def start_world(self):
        self.start_stores()
        self.init()
        for name in PROXIED:
            words = ("--jurisdiction", "EU") if name != "us" else ()
            self.add_s3_backend(name, self.regions[name], COUNTRIES[name], *words)
        self.add_file_backend("se", "SE", "--jurisdiction", "EU", directory=self.disks["se"].directory / "objects")
        for tenant, policy in POLICIES.items():
            self.create_tenant(tenant, policy)
        if self.hands_off:
            self.nginx.http_extra += self.s3gw("nginx", "print", "upstreams")
            self.nginx.server_extra += self.s3gw("nginx", "print", "locations")
        self.start_pool()
        self.nginx.start()
        wait_until(self.answers, "the gateway answers")
        for bucket in BUCKETS:
            client = self.raw(bucket.tenant)
            assert client.request("PUT", f"/{bucket.name}").status == 200
            if bucket.versioned:
                document = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
                assert client.request("PUT", f"/{bucket.name}?versioning", document).status == 200
            if bucket.policy:
                self.set_policy(bucket.policy, "--bucket", bucket.name, "--tenant", bucket.tenant)
        # From here on the disk under the database forgets what is not synced.
        self.stop()
        self.guard_database()
        self.workers.clear()
        self.start_pool()
        self.nginx.start()
        wait_until(self.answers, "the gateway answers")
        return self

    def start_stores(self):
        (self.base / "stores").mkdir()
        for _ in range(PORT_ATTEMPTS):
            # A port that is free now may be taken a moment later, on a machine that does other things too.
            if self.start_proxy(dict(zip(PROXIED, free_ports(len(PROXIED))))):
                return
        raise AssertionError(self.proxy.tail())

    def start_proxy(self, ports):
        """Starts the proxy at `ports`, and the stores behind it unless they run; tells whether it listens."""
        self.regions = {}
        if self.kind_of_stores == "radosgw":
            self.radosgw = self.radosgw or RadosGateways(self.base / "ceph", self.authority)
            for name, region in zip(PROXIED, self.radosgw.regions.values()):
                self.stores[name] = region
                endpoint = f"http://127.0.0.1:{ports[name]}"
                self.regions[name] = Region(
                    region.name, endpoint, "", region.access_key_id, region.secret_access_key, region.pid
                )
            store_ports = {name: int(region.endpoint.rpartition(":")[2]) for name, region in self.stores.items()}
        else:
            for name in PROXIED:
                if name not in self.stores:
                    (self.base / "stores" / name).mkdir()
                    self.stores[name] = Rclone(name, self.base / "stores" / name)
                self.regions[name] = self.stores[name].region(ports[name])
            store_ports = {name: store.port for name, store in self.stores.items()}
        settings = {
            "record": str(self.record),
            "flips": str(self.flips),
            "control": str(self.base / "proxy.sock"),
            "backends": {
                name: [ports[name], store_ports[name], each.name, each.access_key_id, each.secret_access_key]
                for name, each in self.regions.items()
            },
        }
        words = [sys.executable, HERE / "proxy.py", json.dumps(settings)]
        environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONPATH"] = str(HERE.parent / "EndToEnd")
        self.proxy = Daemon("proxy", words, self.base, environment)
        wait_until(lambda: not self.proxy.running or READY in self.proxy.log.read_text(), "the proxy listens")
        if not self.proxy.running:
            return False
        self.control = proxy.Control(self.base / "proxy.sock")
        return True

    def guard_database(self):
        """Takes the database as it is now for what the disk holds."""
        for path in (self.database_path, self.wal_path):
            path.with_name(path.name + ".synced").unlink(missing_ok=True)
            path.with_name(path.name + ".dirty").unlink(missing_ok=True)
            if path.exists():
                shutil.copyfile(path, path.with_name(path.name + ".synced"))
        self.tree_saved.mkdir()
        self.guarded = True

    @property
    def tree_log(self):
        return self.base / "tree.log"

    @property
    def tree_saved(self):
        return self.disks["se"].directory / "saved"

    @property
    def wal_path(self):
        return self.database_path.with_name(self.database_path.name + "-wal")

    # Processes with the shim.

    def clock_file(self, name):
        if name not in self.clocks:
            path = self.base / f"clock-{name}"
            path.write_bytes(struct.pack("q", 0))
            self.clocks[name] = path
        return self.clocks[name]

    def step_clock(self, name, seconds):
        with open(self.clock_file(name), "r+b") as file:
            file.write(struct.pack("q", int(seconds * 1000)))

    def with_clock(self, name):
        return {"LD_PRELOAD": str(self.shim), "FAULT_CLOCK": str(self.clock_file(name))}

    def shimmed(self, clock):
        environment = self.with_clock(clock)
        if self.guarded:
            environment["FAULT_DISK"] = str(self.database_path)
        if self.guarded and self.disks["se"].mounted:
            environment["FAULT_TREE"] = str(self.backends["se"])
            environment["FAULT_TREE_LOG"] = str(self.tree_log)
            environment["FAULT_TREE_SAVED"] = str(self.tree_saved)
        if self.planted and self.planted not in NGINX_BUGS:
            environment["PLANTED_BUG"] = self.planted
        return environment

    @property
    def environment(self):
        clean = super().environment
        return clean | self.shimmed("cli") if hasattr(self, "clocks") else clean

    def start_pool(self):
        self.pool = Daemon(
            "s3gw-fcgi",
            [paths.BINARIES / "s3gw-fcgi", "--config", self.configuration],
            self.directory,
            self.environment | self.shimmed("pool"),
        )
        wait_until(self.pool_is_up, "the pool listens")

    def start_worker(self, *words):
        return self.put_worker(len(self.workers))

    def put_worker(self, index):
        """Starts worker number `index`, in the place of a dead one or as one more."""
        self.worker_count += 1
        worker = Daemon(
            f"s3gw-worker-{self.worker_count}",
            [paths.BINARIES / "s3gw-worker", "run", "--config", self.configuration],
            self.directory,
            self.environment | self.shimmed(f"worker-{index}"),
        )
        self.workers[index : index + 1] = [worker]
        return worker

    def run_worker(self, *words, clock="cli", seconds=120, settings=None):
        """Runs `s3gw-worker` for one task and returns the CompletedProcess; `settings` are more environment variables."""
        return subprocess.run(
            [paths.BINARIES / "s3gw-worker", *words, "--config", self.configuration],
            capture_output=True,
            text=True,
            timeout=seconds,
            env=self.environment | self.shimmed(clock) | (settings or {}),
            cwd=self.directory,
        )

    def reconcile(self):
        """Lets a worker find and remove what no row speaks of; tells whether this gateway can."""
        if "reconcile " not in self.run_worker("--help").stdout:
            return False
        for _ in range(RECONCILE_RUNS):
            result = self.run_worker("reconcile", settings={"S3GW_RECONCILE_GRACE": "0s"})
            (self.base / "reconcile.log").write_text(result.stdout + result.stderr)
        return True

    # Faults that are not the proxy's.

    def kill_master(self, and_children):
        """Kills the pool's master, then, as systemd would, what is left of it; else the children end by themselves."""
        old = self.pool
        os.kill(old.pid, signal.SIGKILL)
        old.process.wait(10)
        if and_children:
            old.kill()
        self.old_pools.append(old)

    def kill_all(self):
        """SIGKILL to everything that has the database open, and to nginx."""
        for daemon in (self.pool, *self.workers, self.nginx.daemon, *self.old_pools):
            daemon.kill()

    def cut_power(self, seed):
        """What the kernel had not been asked to make durable is gone, but for a random part of it.

        Returns how many bytes of the database that were, and how many files and names of the file backend.
        """
        chance = random.Random(seed)
        lost = 0
        for path in (self.database_path, self.wal_path):
            synced, notes = (path.with_name(path.name + suffix) for suffix in (".synced", ".dirty"))
            if not synced.exists():
                path.unlink(missing_ok=True)
                continue
            if path.exists() and notes.exists():
                data = notes.read_bytes()
                with open(path, "rb") as file, open(synced, "r+b") as kept:
                    for at in range(0, len(data) - NOTE_BYTES + 1, NOTE_BYTES):
                        offset, length = struct.unpack_from("qq", data, at)
                        lost += length
                        if chance.random() < 0.3:
                            file.seek(offset)
                            kept.seek(offset)
                            kept.write(file.read(length))
                            lost -= length
            notes.unlink(missing_ok=True)
            shutil.copyfile(synced, path)
        path = self.database_path
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        return lost, treedisk.forget(self.backends["se"], self.tree_log, self.tree_saved, chance)

    def misplaced(self):
        """Returns the names of files in the directory `se` that are of a bucket whose bytes may not be there."""
        found = []
        forbidden = [bucket for bucket in BUCKETS if "se" not in bucket.backends]
        # A copy has the bytes of its source's bucket: of a file without a name only the tenant can be told.
        strangers = {each.tenant for each in BUCKETS} - {each.tenant for each in BUCKETS if "se" in each.backends}
        for directory, _, names in os.walk(self.backends["se"]):
            for name in names:
                path = os.path.join(directory, name)
                if any(f"/{bucket.tenant}-{bucket.name}/" in path for bucket in forbidden):
                    found.append(path)
                elif "/.s3gw-tmp/" in path:  # such a name says nothing, but the bytes do
                    with contextlib.suppress(OSError), open(path, "rb") as file:
                        start = file.read(100)
                        if any(start.startswith(f"{tenant}/".encode()) for tenant in strangers):
                            found.append(path)
        return found

    # The end.

    def close(self):
        for daemon in [*self.daemons, *self.old_pools]:
            for pid in daemon.group():
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass
            daemon.kill()
        if self.control:
            self.control.close()
        if self.proxy:
            self.proxy.kill()
        for store in self.stores.values():
            if isinstance(store, Rclone):
                store.stop()
            else:
                store.thaw()
        if self.radosgw:
            self.radosgw.down()
        for disk in self.disks.values():
            disk.unmount()
