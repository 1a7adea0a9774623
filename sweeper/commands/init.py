"""`sweep init`: the shipped specs as files to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from sweeper.commands.options import path_argument
from sweeper.commands.output import say, unwritable
from sweeper.permissions import usual_files

FIRST_SPEC = "quickstart.yaml"


def init(
    folder: Annotated[Path, path_argument("FOLDER", "made if it is not there yet")],
) -> None:
    """Write the specs that come with the program to FOLDER; a file that is there stays as it is."""
    from sweeper.spec.shipped import shipped_specs

    shipped = shipped_specs()
    written: list[str] = []
    same: list[str] = []
    kept: list[str] = []
    try:
        with usual_files():
            folder.mkdir(parents=True, exist_ok=True)
        for source in shipped.values():
            content = source.read_bytes()
            path = folder / source.name
            try:
                with usual_files(), path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                is_same = path.is_file() and path.read_bytes() == content
                (same if is_same else kept).append(path.name)
            else:
                written.append(path.name)
    except OSError as error:
        raise unwritable(folder, error) from error
    say(f"{folder}: specs written: {len(written)}; there already: {len(same)}")
    if kept:
        say(f"left as they are, though they differ from the shipped ones: {', '.join(kept)}")
    say(f"next: sweep plan {shlex.quote(str(folder / FIRST_SPEC))}")
