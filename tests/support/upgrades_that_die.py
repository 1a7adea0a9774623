"""Upgrades databases to the next revision, and dies meanwhile.

`upgrades_that_die.py SCRIPTS` reads `<moment> <url>` lines, and says how each ended.

Everything is loaded once; each upgrade runs in a child of its own, which SIGKILLs itself at its
event number `moment`: before a statement, a commit or a rollback, and after the last of them.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

import alembic.command
import alembic.config
import alembic.context
from sqlalchemy import Engine, event

import next_revision
from results.database import migrations, postgres, sqlite
from results.errors import DriverBusyError

BUSY = 3
"""A server takes a moment to see that the one who died before is gone, and with it its lock."""

LOADED_ONCE = (alembic.command, alembic.config, alembic.context, postgres, sqlite)


def upgrade_and_die(url: str, moment: int) -> None:
    events = itertools.count()

    def happen(*arguments: object, **options: object) -> None:
        if next(events) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "connect")
    def keep_little_in_memory(connection: object, record: object) -> None:
        if url.startswith("sqlite"):
            connection.execute("PRAGMA cache_size = 1")  # type: ignore[attr-defined]

    for name in ("before_cursor_execute", "commit", "rollback"):
        event.listen(Engine, name, happen)
    event.listen(Engine, "checkin", happen)
    try:
        migrations.upgrade(url)
    except DriverBusyError:
        os._exit(BUSY)


with next_revision.known(Path(sys.argv[1])):
    for line in sys.stdin:
        moment, url = line.split()
        child = os.fork()
        if child == 0:
            upgrade_and_die(url, int(moment))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        ends = {0: "finished", BUSY: "busy", -signal.SIGKILL: "killed"}
        print(ends.get(status, f"exit code {status}"), flush=True)
