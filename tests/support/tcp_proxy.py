"""A TCP proxy in front of a Postgres server, which loses connections on request."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import URL, make_url

#: What to do with something a client sends, and with its connection.
Fate = Literal[
    "lose",  # not forwarded, and the connection is lost
    "lose answer",  # forwarded and answered, and the connection is lost before the answer
    "abandon",  # forwarded; the client loses its connection, and the server does not notice
    "swallow",  # not forwarded, and the connection stays
    "pass",  # forwarded, as without a rule: for rules about what comes later
]


@dataclass
class Rule:
    """Applies once, to the first thing sent that has one of these words in it."""

    words: tuple[bytes, ...]
    fate: Fate
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None


class TcpProxy:
    """Forwards connections to the server of `url`, a place in which is `self.url`."""

    def __init__(self, url: str) -> None:
        server = make_url(url)
        query = dict(server.query)
        self._host = str(query.pop("host", "") or server.host)
        self._server_port = server.port or 5432
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self.url = (
            URL.create(
                "postgresql+psycopg",
                server.username,
                server.password,
                "127.0.0.1",
                self._port,
                server.database,
                query,
            )
            .update_query_dict({"sslmode": "disable", "gssencmode": "disable"})
            .render_as_string(hide_password=False)
        )
        self.rules: list[Rule] = []
        self._clients: set[socket.socket] = set()
        self._kept: set[socket.socket] = set()
        self._mutex = threading.Lock()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def on(self, fate: Fate, *words: str, **hooks: Callable[[], None]) -> None:
        """Adds a rule; rules apply one after the other."""
        self.rules.append(Rule(tuple(word.encode() for word in words), fate, **hooks))

    def cut(self) -> None:
        """Loses all connections."""
        with self._mutex:
            for client in self._clients:
                _shut(client)

    def abandon(self) -> None:
        """Clients lose all connections, and the server does not notice."""
        with self._mutex:
            self._kept |= self._clients
            for client in self._clients:
                _shut(client)

    def go_down(self) -> None:
        """Loses all connections, and refuses others until `come_up`."""
        _shut(self._listener)
        self._listener.close()
        self.cut()

    def come_up(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        self.go_down()
        with self._mutex:
            self._kept.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._mutex:
                self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _connect(self) -> socket.socket:
        if self._host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/.s.PGSQL.{self._server_port}")
            return server
        return socket.create_connection((self._host, self._server_port))

    def _serve(self, client: socket.socket) -> None:
        server = self._connect()
        try:
            self._forward(client, server)
        except OSError:
            pass
        finally:
            with self._mutex:
                self._clients.discard(client)
                kept = client in self._kept
            client.close()
            if kept:
                self._wait_for_end(client, server)
            server.close()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        """Returns when the connection is to end."""
        losing: Rule | None = None
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if server in ready:
                data = server.recv(65536)
                if losing is not None:
                    losing.after()
                    return
                if not data:
                    return
                client.sendall(data)
            if client in ready:
                data = client.recv(65536)
                if not data:
                    return
                rule = None if losing else self._rule_for(data)
                if rule is not None:
                    rule.before()
                if rule is None or rule.fate in ("lose answer", "abandon", "pass"):
                    server.sendall(data)
                if rule is None or rule.fate in ("swallow", "pass"):
                    continue
                if rule.fate == "lose answer":
                    losing = rule  # what it sends may come in parts, and be answered as a whole
                    continue
                if rule.fate == "abandon":
                    with self._mutex:
                        self._kept.add(client)
                rule.after()
                return

    def _rule_for(self, data: bytes) -> Rule | None:
        with self._mutex:
            if self.rules and any(word in data for word in self.rules[0].words):
                return self.rules.pop(0)
            return None

    def _wait_for_end(self, client: socket.socket, server: socket.socket) -> None:
        """Keeps the server's side open until the server ends it, or the proxy is closed."""
        while client in self._kept:
            ready, _, _ = select.select([server], [], [], 0.05)
            if ready and not server.recv(65536):
                return


def _shut(opened: socket.socket) -> None:
    try:
        opened.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
