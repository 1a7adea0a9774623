"""A proxy that loses connections just before, or just after, the server sees a COMMIT."""

from __future__ import annotations

import itertools
import random
import select
import socket
import threading
from collections import Counter, deque
from collections.abc import Mapping
from typing import Literal

from tcp_proxy import TcpProxy

When = Literal["before", "after"]

# By words of the statements between BEGIN and COMMIT: the first that fits. In what is sent, values
# follow their statement.
KINDS: Mapping[str, tuple[bytes, ...]] = {
    "save": (b"INSERT INTO sweeps ",),
    "claim": (b"INSERT INTO attempts ",),
    "commit": (b"INSERT INTO epochs ",),
    "add evaluations": (b"INSERT INTO evaluations ",),
    "register": (b"INSERT INTO drivers ",),
    "take over": (b"UPDATE attempts SET driver_id",),
    "renew": (b"UPDATE drivers SET lease_until",),
    "leave": (b"UPDATE drivers SET ended_at",),
    "retry": (b"retried_after=runs.attempt",),
    "fail": (b"UPDATE attempts SET ", b"failed"),
    "release": (b"UPDATE attempts SET ", b"lost"),
    "cancel": (b"UPDATE runs SET ", b"cancelled"),
}


class Cuts:
    """Which COMMITs are to be cut: most of the kinds of writes that it was asked for.

    Attributes:
        made: how often a connection was cut, by kind of write and moment.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._left: dict[str, deque[When]] = {}
        self._mutex = threading.Lock()
        self.made: Counter[tuple[str, When]] = Counter()

    def ask(self, kind: str, times: int) -> None:
        """`times` cuts of this kind, alternately after and before the server sees the COMMIT."""
        moments: tuple[When, When] = ("after", "before")
        self._left[kind] = deque(itertools.islice(itertools.cycle(moments), times))

    @property
    def left(self) -> list[str]:
        """The kinds of which there is more to cut."""
        return [kind for kind, moments in self._left.items() if moments]

    def fate(self, transaction: bytes) -> When | None:
        """When to cut the COMMIT of this transaction, if at all."""
        kind = next((k for k, words in KINDS.items() if all(w in transaction for w in words)), "")
        with self._mutex:
            if not self._left.get(kind) or self._chance.random() < 1 / 3:
                return None
            when = self._left[kind].popleft()
            self.made[kind, when] += 1
            return when


class CommitCutter(TcpProxy):
    """Cuts the connections to the server of `url` as it is told."""

    def __init__(self, url: str, cuts: Cuts) -> None:
        self._cuts = cuts
        super().__init__(url)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        transaction = _Transaction()
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if server in ready:
                data = server.recv(65536)
                if not data:
                    return
                client.sendall(data)
            if client in ready:
                data = client.recv(65536)
                if not data:
                    return
                committed = transaction.committed(data)
                when = None if committed is None else self._cuts.fate(committed)
                if when == "before":
                    return
                server.sendall(data)
                if when == "after":
                    server.recv(65536)  # the answer, by which it took place
                    return


class _Transaction:
    """Reads what a client sends: https://www.postgresql.org/docs/current/protocol-message-formats.html"""

    def __init__(self) -> None:
        self._unread = b""
        self._started = False
        self._prepared: dict[bytes, bytes] = {}
        self._statements: list[bytes] = []

    def committed(self, data: bytes) -> bytes | None:
        """The transaction's statements and their values, if `data` ends with its COMMIT."""
        self._unread += data
        found = None
        while (message := self._next()) is not None:
            kind, body = message
            found = None
            if kind == b"P":
                name, query, _ = body.split(b"\0", 2)
                self._prepared[name] = query
            elif kind == b"B":
                _, name, values = body.split(b"\0", 2)
                self._statements.append(self._prepared[name] + values)
            elif kind == b"Q":
                if body.startswith(b"BEGIN"):
                    self._statements.clear()
                elif body.startswith(b"COMMIT"):
                    found = b"\n".join(self._statements)
                else:
                    self._statements.append(body)
        return found

    def _next(self) -> tuple[bytes, bytes] | None:
        """Type and content of the next message that has arrived as a whole."""
        head = 1 if self._started else 0  # the first message has no type
        if len(self._unread) < head + 4:
            return None
        end = head + int.from_bytes(self._unread[head : head + 4])
        if len(self._unread) < end:
            return None
        message = self._unread[:head], self._unread[head + 4 : end]
        self._unread = self._unread[end:]
        self._started = True
        return message
