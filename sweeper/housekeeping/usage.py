"""What takes the space: the files of runs by sweep and kind, and what else a home has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from results.archive.writing import is_archive_file
from results.database.url import SqliteAddress, parse_address
from results.records import KeptRun
from sweeper.home import Home
from sweeper.housekeeping.kinds import OTHER, kind_of
from sweeper.scheduling.storage_places import Place, is_place_of_another
from trainers.storage import open_folder

SEVERAL = "(several sweeps)"
NONE = "(no sweep)"
UNKNOWN = "(unknown runs)"
REST = "(rest of the storage)"


@dataclass
class Usage:
    """The bytes of some runs by kind, and how many runs have any."""

    name: str
    runs: int = 0
    sizes: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(self.sizes.values())


def usage_of_runs(
    kept: Sequence[KeptRun], places: Sequence[Place]
) -> tuple[list[Usage], set[tuple[str, int]]]:
    """The space that runs take in these places, and which attempts have files, (run id, number).

    The largest sweep comes first. A run that several sweeps hold counts for none of them, but among
    those SEVERAL. UNKNOWN are runs that the database does not know. What is another database's
    place is left out.

    Raises StorageError.

    Args:
        kept: every run of the database.
    """
    owner = {run.run_id: _owner(run) for run in kept}
    names = dict.fromkeys(name for run in kept for name in run.sweeps)
    found = {name: Usage(name) for name in (*names, SEVERAL, NONE, UNKNOWN, REST)}
    runs: dict[str, set[str]] = defaultdict(set)
    attempts: set[tuple[str, int]] = set()
    for place in places:
        for path, size in place.folder.files():
            run_id, _, rest = path.partition("/")
            if is_place_of_another(run_id):
                continue
            whose = owner.get(run_id) or (UNKNOWN if _is_run(run_id) else REST)
            if whose == REST:
                found[REST].sizes[OTHER] += size
                continue
            number, _, inside = rest.partition("/")
            found[whose].sizes[kind_of(inside).name] += size
            runs[whose].add(run_id)
            if number.isdecimal():
                attempts.add((run_id, int(number)))
    for whose, run_ids in runs.items():
        found[whose].runs = len(run_ids)
    sweeps = sorted((found.pop(name) for name in names), key=lambda usage: -usage.total)
    return [*sweeps, *(usage for usage in found.values() if usage.total)], attempts


def _owner(run: KeptRun) -> str:
    if len(run.sweeps) > 1:
        return SEVERAL
    return run.sweeps[0] if run.sweeps else NONE


def _is_run(name: str) -> bool:
    return len(name) == 16 and set(name) <= set("0123456789abcdef")


def usage_of_home(home: Home, database: int | None) -> dict[str, int]:
    """The bytes of what is no run's: the database, archives and backups in the home, and data.

    Args:
        database: the bytes of one that is no file.
    """
    address = parse_address(home.database)
    found = {"database": database or 0, "archives": 0, "data": 0}
    own: set[Path] = set()
    if isinstance(address, SqliteAddress):
        path = Path(address.path)
        own = {path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))}
        found["database"] = sum(_size(file) for file in own)
    if home.folder.is_dir():
        found["archives"] = sum(
            _size(path)
            for path in home.folder.iterdir()
            if path.is_file()
            and path not in own
            and (path.name.startswith("sweep.db.") or _is_archive(path))
        )
    found["data"] = sum(size for _, size in open_folder(home.data).files())
    return found


def _is_archive(path: Path) -> bool:
    # No other file is opened: to close one would give up the locks that this process has on it.
    return path.suffix == ".db" and is_archive_file(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
