"""A TCP proxy before a backend, that dies, stalls or lies when a test says so."""

import contextlib
import socket
import struct
import threading

from .processes import free_ports

PIECE_BYTES = 256 * 1024
CONNECT_SECONDS = 5
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class TCPProxy:
    """`port` forwards to `target`, (host, port).

    What it does is said by attributes, which may be changed at any time and hold for open connections, too:
    `dead`: connections are refused and open ones are reset. `silent`: accepts, and says nothing. `answer`: bytes that
    are the answer to every request instead of the target's. `read_answer`: the same for GETs that are no listings. `at`: (bytes, action): the first connection on which that
    many bytes came down makes the proxy "reset", "close" or "stall" for good; every byte before that is passed on.
    `swallow`: bytes; a connection on which a request with them went up is reset when its answer comes down, so that the
    target has done what was asked, and the client never hears of it. `flip`: of the bytes that come down a connection,
    the one with this number is another one. `gate`: a threading.Event, for which every DELETE waits; `read_gate`:
    the same for GETs that are no listings.
    """

    def __init__(self, target):
        self.target = target
        self.silent = False
        self.answer = None
        self.read_answer = None
        self.at = None
        self.swallow = None
        self.flip = None
        self.swallowed = 0
        self._marked = set()
        self.connections = 0
        self.requests_seen = 0
        self.reads_seen = 0  # of them, the GETs that are no listings: a health check is a listing
        self.deletes_held = 0
        self.gate = None
        self.read_gate = None
        self._dead = False
        self._open = set()
        self._lock = threading.Lock()
        (self.port,) = free_ports(1)
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def dead(self):
        return self._dead

    def die(self):
        """As when the store's process is killed: what is open is reset, what comes is refused."""
        self._refuse()
        self.reset()

    def _refuse(self):
        self._dead = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept, which holds the port
        self._listener.close()

    def reset(self):
        with self._lock:
            gone, self._open = self._open, set()
        for each in gone:
            self._reset(each)

    def revive(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._dead = self.silent = False
        self.answer = self.at = None
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        if not self._dead:
            self.die()

    @staticmethod
    def _reset(connection):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            connection.close()

    def _accept(self):
        listener = self._listener
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self.silent:
            return  # until `reset` or `die`
        try:
            store = socket.create_connection(self.target, timeout=CONNECT_SECONDS)
        except OSError:
            return self._reset(client)
        store.settimeout(None)
        store.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(store)
        threading.Thread(target=self._up, args=(client, store), daemon=True).start()
        self._down(client, store)

    def _up(self, client, store):
        with contextlib.suppress(OSError):
            while piece := client.recv(PIECE_BYTES):
                self.requests_seen += 1
                is_read = piece.startswith(b"GET ") and b"list-type=" not in piece.partition(b"\r\n")[0]
                self.reads_seen += is_read
                if self.read_gate and is_read:
                    self.read_gate.wait()
                if self.gate and piece.startswith(b"DELETE "):
                    self.deletes_held += 1
                    self.gate.wait()
                if self.silent:
                    continue
                answer = self.read_answer if is_read and self.read_answer is not None else self.answer
                if answer is not None:
                    client.sendall(answer)
                    continue
                if self.swallow and self.swallow in piece:
                    self._marked.add(client)
                store.sendall(piece)
        with contextlib.suppress(OSError):
            store.shutdown(socket.SHUT_WR)

    def _down(self, client, store):
        passed = 0
        with contextlib.suppress(OSError):
            while piece := store.recv(PIECE_BYTES):
                if self.silent:
                    continue
                if client in self._marked:
                    self.swallowed += 1
                    return self._reset(client)
                if self.flip is not None and 0 <= self.flip - passed < len(piece):
                    place = self.flip - passed
                    piece = piece[:place] + bytes([piece[place] ^ 1]) + piece[place + 1 :]
                if self.at and passed + len(piece) > self.at[0]:
                    client.sendall(piece[: max(0, self.at[0] - passed)])
                    return self._act(client)
                client.sendall(piece)
                passed += len(piece)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)

    def _act(self, client):
        action = self.at[1]
        if action == "stall":
            self.silent = True
        elif action == "close":
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            self._refuse()
        else:
            self.die()
