"""A store that lists in the wrong order when it is told to: an HTTP proxy before a real one."""

import http.client
import http.server
import re
import threading
import urllib.parse

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Liar:
    """Has the attributes that `add_s3_backend` reads. With `lies` every ListObjectsV2 answer has its keys reversed."""

    def __init__(self, store):
        self.name = store.name
        self.access_key_id, self.secret_access_key = store.access_key_id, store.secret_access_key
        self.lies = False
        self.lied = 0
        target = urllib.parse.urlsplit(store.endpoint).netloc
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler(target))
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def handler(liar, target):  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                connection = http.client.HTTPConnection(target, timeout=30)
                try:
                    connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in ("expect", "connection"):
                            connection.putheader(name, value)
                    connection.endheaders(body)
                    response = connection.getresponse()
                    content = response.read()
                finally:
                    connection.close()
                length = response.headers.get("content-length", "0") if self.command == "HEAD" else None
                if liar.lies and "list-type=2" in self.path:
                    entries = re.findall(rb"<Contents>.*?</Contents>", content, re.DOTALL)
                    if len(entries) > 1:
                        liar.lied += 1
                        for number, entry in enumerate(entries):
                            content = content.replace(entry, b"<%d/>" % number, 1)
                        for number, entry in enumerate(reversed(entries)):
                            content = content.replace(b"<%d/>" % number, entry, 1)
                self.send_response(response.status)
                for name, value in response.headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *words):
                pass

        return Handler
