"""Ceph's radosgw in three regions, started by scripts/radosgw for one run of the suite."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass

import boto3
from botocore.config import Config

from .paths import REPOSITORY

SCRIPT = REPOSITORY / "scripts/radosgw"


@dataclass(frozen=True)
class Region:
    name: str
    endpoint: str
    tls_endpoint: str
    access_key_id: str
    secret_access_key: str
    pid: int

    def client(self):
        """Returns a boto3 client that talks to this radosgw itself, to see what really lies there."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.name,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )

    def objects(self):
        """Returns {(bucket, key): size} of everything in this region."""
        client = self.client()
        found = {}
        for bucket in client.list_buckets()["Buckets"]:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
                for entry in page.get("Contents", []):
                    found[bucket["Name"], entry["Key"]] = entry["Size"]
        return found

    def freeze(self):
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)


class RadosGateways:
    def __init__(self, directory, authority):
        self.directory = directory
        result = subprocess.run(
            [SCRIPT, "up", directory, "--certificate", authority.both], capture_output=True, text=True, timeout=180
        )
        assert result.returncode == 0, result.stderr
        rows = json.loads(result.stdout)["regions"]
        self.regions = {
            name: Region(
                name, row["endpoint"], row["tlsEndpoint"], row["accessKeyId"], row["secretAccessKey"], row["pid"]
            )
            for name, row in rows.items()
        }

    def __getitem__(self, name):
        return self.regions[name]

    def down(self):
        subprocess.run([SCRIPT, "down", self.directory], check=True, timeout=60)
        # The daemons were ours to start; give the kernel the moment in which their ports close.
        deadline = time.monotonic() + 5
        while (
            any(os.path.exists(f"/proc/{each.pid}") for each in self.regions.values()) and time.monotonic() < deadline
        ):
            time.sleep(0.05)
