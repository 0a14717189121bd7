"""A real nginx on free ports, with the two files that the project ships included as an operator would include them."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess

from . import paths
from .processes import Daemon, free_ports, wait_until

SHIPPED = paths.REPOSITORY / "nginx"
CONFIGURATION = """\
{user}
daemon off;
worker_processes 2;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log warn;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {spool};
    fastcgi_temp_path {directory}/nginx-fastcgi;
    proxy_temp_path {directory}/nginx-proxy;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    scgi_temp_path {directory}/nginx-scgi;
    {http_extra}
    include s3gw/s3gw-http.conf;
    server {{
        listen 127.0.0.1:{http_port};
        listen 127.0.0.1:{https_port} ssl http2;
        server_name s3.localhost *.s3.localhost localhost 127.0.0.1;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        access_log {directory}/nginx-access.log s3gw;
        set $s3gw_pool unix:{socket};
        set $s3gw_domain s3.localhost;
        {server_extra}
        include s3gw/s3gw-server.conf;
    }}
}}
"""


class Nginx:
    """`http_extra` and `server_extra` are what an operator might write beside our includes; `edits` [(old, new)] are
    changes to the shipped files, for timeouts that no test can wait for."""

    def __init__(self, directory, socket, spool, authority, http_extra="", server_extra="", edits=()):
        self.directory = pathlib.Path(directory)
        self.socket = socket
        self.spool = spool
        self.authority = authority
        self.http_extra = http_extra
        self.server_extra = server_extra
        self.edits = edits
        self.environment = None
        self.http_port, self.https_port = free_ports(2)
        self.configuration = self.directory / "nginx.conf"
        self.daemon = None

    def write_configuration(self):
        included = self.directory / "s3gw"
        shutil.rmtree(included, ignore_errors=True)
        shutil.copytree(SHIPPED, included)
        for old, new in self.edits:
            changed = 0
            for path in included.glob("*.conf"):
                text = path.read_text()
                changed += text.count(old)
                path.write_text(text.replace(old, new))
            assert changed, f"no shipped file says {old!r} any more"
        self.configuration.write_text(
            CONFIGURATION.format(
                user="user root;" if os.geteuid() == 0 else "",
                directory=self.directory,
                spool=self.spool,
                socket=self.socket,
                http_extra=self.http_extra,
                http_port=self.http_port,
                https_port=self.https_port,
                certificate=self.authority.certificate,
                key=self.authority.key,
                server_extra=self.server_extra,
            )
        )

    def start(self):
        self.write_configuration()
        words = (paths.NGINX, "-p", self.directory, "-c", self.configuration, "-e", self.directory / "nginx-error.log")
        check = subprocess.run([*map(str, words), "-t"], capture_output=True, text=True, timeout=20)
        assert check.returncode == 0, check.stderr
        self.daemon = Daemon("nginx", words, self.directory, self.environment)
        wait_until(self.answers, "nginx listens")

    def answers(self):
        assert self.daemon.running, self.daemon.tail()
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=2):
            return True

    def stop(self):
        if self.daemon:
            self.daemon.stop(signal.SIGTERM)

    def kill(self):
        if self.daemon:
            self.daemon.kill()

    def tail(self):
        log = self.directory / "nginx-error.log"
        return f"--- {log.name}\n" + (log.read_text(errors="replace")[-4000:] if log.exists() else "")
