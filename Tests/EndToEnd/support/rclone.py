"""`rclone serve s3` on a directory: a fast S3 store of another make, with the attributes that `add_s3_backend` reads."""

import pathlib
import socket

import boto3
from botocore.config import Config

from .paths import CLIENTS
from .processes import Daemon, free_ports, wait_until


class Rclone:
    """`certificate` is an Authority: then it serves https."""

    access_key_id = "AKIDRCLONE"
    secret_access_key = "rclone/secret+key"

    def __init__(self, name, directory, certificate=None):
        self.name = name  # the signing region
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.port,) = free_ports(1)
        words = [
            CLIENTS / "rclone",
            "serve",
            "s3",
            self.directory,
            "--addr",
            f"127.0.0.1:{self.port}",
            "--auth-key",
            f"{self.access_key_id},{self.secret_access_key}",
            "--config",
            "/dev/null",
        ]
        if certificate:
            words += ["--cert", certificate.certificate, "--key", certificate.key]
        self.daemon = Daemon(f"rclone-{name}-{self.port}", words, self.directory.parent)
        wait_until(self.listens, f"rclone {name} listens")
        self.endpoint = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self):
        return self.endpoint

    def listens(self):
        assert self.daemon.running, self.daemon.tail()
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True

    def at(self, endpoint):
        """The same store, reached through `endpoint`."""
        self.endpoint = endpoint
        return self

    def client(self):
        """Returns a boto3 client that talks to this store itself."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.name,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )

    def stop(self):
        self.daemon.kill()
