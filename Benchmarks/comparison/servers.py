"""The backends that are compared over: rclone, radosgw, and nginx with static files."""

import os
import pathlib
import socket
from dataclasses import dataclass
from typing import Callable

from support import paths
from support.processes import Daemon, free_ports, wait_until
from support.radosgw import RadosGateways

ACCESS_KEY_ID = "BENCHMARKACCESSKEY00"
SECRET_ACCESS_KEY = "benchmarksecretkeybenchmarksecretkey0000"
STATIC = """\
{user}
daemon off;
worker_processes 2;
pid {directory}/static.pid;
error_log {directory}/static-error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/static-bodies;
    proxy_temp_path {directory}/static-proxy;
    fastcgi_temp_path {directory}/static-fastcgi;
    uwsgi_temp_path {directory}/static-uwsgi;
    scgi_temp_path {directory}/static-scgi;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        client_max_body_size 0;
        client_body_buffer_size 128k;
        dav_methods PUT;
        create_full_put_path on;
        gzip off;
    }}
}}
"""


@dataclass
class Server:
    """One backend by itself; the same fields that the end-to-end support knows radosgw by."""

    kind: str
    name: str  # the region that requests to it are signed for
    endpoint: str
    access_key_id: str
    secret_access_key: str
    pids: Callable
    stop: Callable

    @property
    def port(self):
        return int(self.endpoint.rpartition(":")[2])


def listens(port, daemon):
    def check():
        assert daemon.running, daemon.tail()
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True

    wait_until(check, f"{daemon.name} listens")


def rclone(directory, authority):
    (port,) = free_ports(1)
    data = directory / "rclone"
    data.mkdir()
    words = ["serve", "s3", data, "--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY_ID},{SECRET_ACCESS_KEY}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
    daemon = Daemon(
        "rclone", [paths.CLIENTS / "rclone", *words, "--config", "/dev/null"], directory,
        environment | {"HOME": str(directory)},
    )
    listens(port, daemon)
    return Server(
        "rclone", "us-east-1", f"http://127.0.0.1:{port}", ACCESS_KEY_ID, SECRET_ACCESS_KEY, daemon.group, daemon.kill
    )


def radosgw(directory, authority):
    gateways = RadosGateways(directory / "ceph", authority)
    region = gateways["r1"]
    return Server(
        "radosgw", region.name, region.endpoint, region.access_key_id, region.secret_access_key, lambda: [region.pid],
        gateways.down,
    )


def static(directory, authority):
    """nginx itself as the store, without signatures: what the gateway's `file` backend is compared with.

    Its PUT does not wait for the disk, and the gateway's does.
    """
    (port,) = free_ports(1)
    root = directory / "static"
    root.mkdir(mode=0o777)
    configuration = directory / "static.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(STATIC.format(directory=directory, port=port, root=root, user=user))
    words = [paths.NGINX, "-p", directory, "-c", configuration, "-e", directory / "static-error.log"]
    daemon = Daemon("static-nginx", words, directory)
    listens(port, daemon)
    return Server(
        "file", "us-east-1", f"http://127.0.0.1:{port}", ACCESS_KEY_ID, SECRET_ACCESS_KEY, daemon.group, daemon.kill
    )


BACKENDS = {"rclone": rclone, "radosgw": radosgw, "file": static}

# The same nginx that stands before the gateway also stands before the backend alone, with buffers like ours.
PROXY = """
    upstream bench_backend {{ server 127.0.0.1:{port}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{proxy_port};
        large_client_header_buffers 4 32k;
        client_max_body_size 0;
        client_body_buffer_size 128k;
        gzip off;
        location / {{
            proxy_pass http://bench_backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffer_size 64k;
            proxy_buffers 16 64k;
            proxy_busy_buffers_size 128k;
            proxy_max_temp_file_size 0;
        }}
    }}
"""


def proxy_configuration(server, proxy_port):
    return PROXY.format(port=server.port, proxy_port=proxy_port)
