"""A TCP proxy that lets bytes to a server through at a bounded speed, for stores that are far away."""

import contextlib
import socket
import threading
import time

PIECE_BYTES = 16 * 1024


class SlowProxy:
    """Listens on a free port of loopback; what clients send to it reaches `port` at `bytes_per_second` a connection."""

    def __init__(self, port, bytes_per_second):
        self.target = ("127.0.0.1", port)
        self.bytes_per_second = bytes_per_second
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(self.target)
            for source, sink, speed in ((client, server, self.bytes_per_second), (server, client, None)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=(source, sink, speed), daemon=True).start()

    @staticmethod
    def pump(source, sink, speed):
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                sink.sendall(piece)
                if speed:
                    time.sleep(len(piece) / speed)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()
