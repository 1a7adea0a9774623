"""Archives in tests: writing one, reading it, changing what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from results.archive.manifest import Manifest
from results.archive.merged import Merged
from results.archive.reading import Archive
from results.archive.writing import export
from results.database.connect import connect
from results.schema.revisions import NEWEST, REVISIONS
from results.store.store import Store


@contextmanager
def viewing(url: str) -> Iterator[Connection]:
    """A view of the database, for as long as the block runs."""
    with closing(connect(url, "read")) as database, database.reading() as connection:
        yield connection


def export_from(url: str, folder: Path, names: Sequence[str] = (), **options: Any) -> Manifest:
    with viewing(url) as connection:
        return export(connection, folder, names, **{"schema": NEWEST, **options})


def open_archive(folder: Path) -> Archive:
    return Archive.open(folder, revisions=REVISIONS)


def import_into(url: str, folder: Path, names: Mapping[str, str] | None = None) -> Merged:
    archive = open_archive(folder)
    with Store.open(url) as store:
        return store.merge(archive, names)


def merge_databases(source: str, target: str, folder: Path) -> Merged:
    export_from(source, folder)
    return import_into(target, folder)


def parquet(folder: Path) -> dict[str, bytes]:
    """The bytes of every table's file."""
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / f"{table}.parquet").to_pylist()
    return found


def rewrite(folder: Path, table: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Changes rows of a table, and the manifest with them, as somebody who knows how would."""
    path = folder / f"{table}.parquet"
    schema = pq.read_schema(path)
    content = rows(folder, table)
    change(content)
    fields = [field.with_nullable(True) for field in schema]
    replace_file(folder, table, pa.Table.from_pylist(content, pa.schema(fields)))


def replace_file(folder: Path, table: str, content: pa.Table) -> None:
    """Another Parquet file in the place of a table's, which the manifest agrees with."""
    path = folder / f"{table}.parquet"
    pq.write_table(content, path)

    def agree(manifest: dict[str, Any]) -> None:
        (entry,) = (file for file in manifest["files"] if file["name"] == path.name)
        entry["rows"] = content.num_rows
        entry["bytes"] = path.stat().st_size
        entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        entry["columns"] = [{"name": f.name, "type": str(f.type)} for f in content.schema]

    edit_manifest(folder, agree)


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
