"""Runs `sweep` in processes that kill themselves, or meet an error, at a point with a name.

Points lie before and after every commit, fsync, rename and other change of a folder. Each line of
standard input is a request, as `forked_sweeps` makes it. The answer is a line too: `end`, an exit
code or minus a signal's number, and `points`, the names of all that were passed, in order.

Everything is loaded once, and each command runs in a fork.
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import sqlite3
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg  # noqa: F401 (what follows is imported for the forks)
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.pysqlite  # noqa: F401
import torch
from sqlalchemy.engine.default import DefaultDialect

import fake_trainers
import results.database.migrations
import results.database.postgres
import results.database.sqlite
import results.queries.queries
import results.store.driver
import results.store.store
import sweeper.commands
import sweeper.executors.inline
import sweeper.scheduling.scheduler  # noqa: F401
import trainers.models.building
import trainers.run
import trainers.training.checkpoint
import trainers.training.train  # noqa: F401
from sweeper import cli
from sweeper.scheduling import report_keeper
from trainers.provenance.attempt import provenance
from trainers.torch_setup import prepare_torch

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{16}\.tmp")
_MARK = re.compile(r"(?<=drivers/)[0-9a-f]{32}|(?<=databases/)[0-9a-f]{16}")


class Points:
    """Names the points as they are passed, notes them in a file, and dies at one of them.

    Or raises EIO instead of the step, wherever a step's name starts with `fail_at`.
    """

    def __init__(self, home: Path, passed: int, die_at: str | None, fail_at: str | None) -> None:
        self._home = home
        self._passed = passed
        self._die_at = die_at
        self._fail_at = fail_at
        self._counted: Counter[str] = Counter()

    def around(self, name: str, act: Callable[[], Any]) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return act()  # renewals of the lease come with the time, not with the work
        self._counted[name] += 1
        numbered = f"{name} #{self._counted[name]}"
        self._pass(f"{numbered}: before")
        if self._fail_at is not None and numbered.startswith(self._fail_at):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        value = act()
        self._pass(f"{numbered}: after")
        return value

    def _pass(self, point: str) -> None:
        os.write(self._passed, f"{point}\n".encode())
        if point == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def place(self, path: Any) -> str | None:
        """A path as points name it; None outside of the home."""
        located = os.path.abspath(os.fsdecode(path))
        if located in (str(self._home), str(self._home.parent)):
            return "HOME" if located == str(self._home) else "HOME/.."
        if not located.startswith(f"{self._home}/"):
            return None
        folder, name = os.path.split(located[len(str(self._home)) + 1 :])
        if temporary := _TEMPORARY.fullmatch(name):
            name = f"{temporary[1]} (temporary)"
        return _MARK.sub("MARK", os.path.join(folder, name))


def watch(points: Points) -> None:
    """Makes points of what this process does from now on."""

    def changes_a_path(name: str, which: int) -> None:
        real = getattr(os, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            place = points.place(_path(arguments[which], options.get("dir_fd")))
            if place is None:
                return real(*arguments, **options)
            return points.around(f"{name} {place}", lambda: real(*arguments, **options))

        setattr(os, name, watched)

    for name, which in (("mkdir", 0), ("unlink", 0), ("rmdir", 0), ("rename", 1), ("replace", 1)):
        changes_a_path(name, which)
    real_fsync = os.fsync

    def fsync(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        place = points.place(os.readlink(f"/proc/self/fd/{number}"))
        points.around(f"fsync {place}", lambda: real_fsync(descriptor))

    os.fsync = fsync  # type: ignore[assignment]
    real_commit = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        what = _purpose(sys._getframe())
        if what is None:
            real_commit(self, connection)  # type: ignore[no-untyped-call]
        else:
            act = partial(real_commit, self, connection)
            points.around(f"commit {what}", act)

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    real_connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            def act() -> sqlite3.Cursor:
                return super(Connection, self).execute(sql, *parameters)

            if sql.startswith(("PRAGMA journal_mode", "PRAGMA wal_checkpoint")):
                return points.around(sql, act)  # type: ignore[no-any-return]
            return act()

    sqlite3.connect = lambda *a, **o: real_connect(*a, **{"factory": Connection, **o})


def _path(path: Any, folder: int | None) -> Any:
    if folder is None:
        return path
    return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))


WRITERS = (results.store.store.__name__, results.store.driver.__name__)
"""Whose methods say what a transaction is for."""


def _purpose(frame: FrameType | None) -> str | None:
    """Which method writes; None for a transaction that only reads."""
    writes = False
    while frame is not None:
        module, name = str(frame.f_globals.get("__name__")), frame.f_code.co_name
        writes |= module.startswith("results.") and name in ("write", "upgrading")
        if writes and module in WRITERS and name != "apply":
            return "the schema" if name == "open" else name.strip("_")
        frame = frame.f_back
    return "the schema" if writes else None


def sweep(request: dict[str, Any], passed: int) -> int:
    """`sweep` with the arguments of the request, in this process; its exit code."""
    watch(Points(Path(request["home"]), passed, request["die_at"], request["fail_at"]))
    if (most := request["largest_file"]) is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    os.environ["SWEEP_HOME"] = request["home"]
    os.environ["SWEEP_DB"] = os.environ["WHERE_RUNS_ARE_STORED"] = request["db"]
    sys.argv = ["sweep", *request["arguments"]]
    try:
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def in_a_fork(request: dict[str, Any], log: Path) -> tuple[int, list[str]]:
    """How `sweep` ended, and the points that it passed; what it said is added to the log."""
    passed = log.with_suffix(".points")
    # Where files may not grow, the names of points have no place either.
    points = os.devnull if request["largest_file"] is not None else passed
    said, says = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(says, 1)
            os.dup2(says, 2)
            code = sweep(request, os.open(points, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(says)
    with open(said) as output, log.open("a") as file:
        file.write(output.read())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, passed.read_text().splitlines() if points == passed else []


def main() -> None:
    # These sweeps meet their faults at a step, and not at a moment.
    fake_trainers.EPOCH_SECONDS = 0.0
    report_keeper.STORE_SECONDS = 0.02
    torch.zeros(1)
    prepare_torch(1)
    provenance("cpu", 1)
    for line in sys.stdin:
        request = json.loads(line)
        end, points = in_a_fork(request, Path(request["log"]))
        print(json.dumps({"end": end, "points": points}), flush=True)


if __name__ == "__main__":
    main()
