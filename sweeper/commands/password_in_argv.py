"""Keeping a password out of the process list, where every user of a machine can read it."""

from __future__ import annotations

import os
import sys


def hide_database_url() -> None:
    """Starts this program again with `--db URL` in the environment, if it was an argument.

    Arguments are seen by everybody (`ps`), the environment by the same user only. SQLite files
    have no password, and stay where they are.
    """
    url, rest = without_database_url(sys.argv[1:])
    if url is None:
        return
    given = len(sys.argv) - 1
    command = [*sys.orig_argv[: len(sys.orig_argv) - given], *rest]
    os.execve(sys.executable, command, {**os.environ, "SWEEP_DB": url})


def without_database_url(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The last `--db` that may hold a password, and the arguments without any `--db`.

    None, and the arguments as they are, if there is no such option.
    """
    url: str | None = None
    rest: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if argument == "--":
            rest += arguments[position:]
            break
        if argument == "--db" and position + 1 < len(arguments):
            url = arguments[position + 1]
            position += 2
        elif argument.startswith("--db="):
            url = argument.removeprefix("--db=")
            position += 1
        else:
            rest.append(argument)
            position += 1
    if url is None or url.startswith("sqlite:"):
        return None, arguments
    return url, rest
