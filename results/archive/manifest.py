"""The manifest of an archive: what it holds, and what its files must look like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from results.archive.layout import FORMAT, FORMAT_VERSION, MANIFEST, README
from results.errors import BadArchiveError, NewerArchiveError

Count = Annotated[int, Field(ge=0)]

_OTHER_FILES = {MANIFEST, README}


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnEntry(_Entry):
    """A column of a file: its Arrow type, and the unit of its numbers if they have one."""

    name: str
    type: str
    unit: str | None = None
    content: Literal["JSON"] | None = None


class FileEntry(_Entry):
    """A file of the archive."""

    name: str
    rows: Count
    bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    columns: tuple[ColumnEntry, ...]


class Manifest(_Entry):
    """What an archive holds. `schema_revision` is that of the database it was written from."""

    format: Literal["sweep archive"] = FORMAT
    format_version: int = FORMAT_VERSION
    created_at: AwareDatetime
    program: str
    schema_revision: str
    sweeps: tuple[str, ...]
    files: tuple[FileEntry, ...]

    def to_json(self) -> str:
        """The text of manifest.json."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), indent=2) + "\n"


def read_manifest(folder: Path, revisions: Sequence[str]) -> Manifest:
    """The manifest of the archive in `folder`.

    `revisions` are the schemas that this program knows. Raises NewerArchiveError if the archive
    has a later format or another schema, BadArchiveError if it has no readable manifest.
    """
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise BadArchiveError(
            folder, f"it has no {MANIFEST}; name the folder that 'sweep export' wrote"
        ) from None
    except OSError as error:
        raise BadArchiveError(folder, f"{MANIFEST} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise BadArchiveError(folder, f"{MANIFEST} is not JSON ({error})") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BadArchiveError(folder, f"{MANIFEST} does not say that it is a {FORMAT}")
    version = found.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise NewerArchiveError(
            folder, f"its format is {version}, and this version reads up to {FORMAT_VERSION}"
        )
    if version != FORMAT_VERSION:
        raise BadArchiveError(folder, f"{MANIFEST}: format_version {version!r} does not exist")
    try:
        manifest = Manifest.model_validate_json(json.dumps(found))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadArchiveError(folder, f"{MANIFEST}: {place}: {first['msg']}") from None
    if manifest.schema_revision not in revisions:
        raise NewerArchiveError(
            folder,
            f"its schema is {manifest.schema_revision!r}, and this version knows"
            f" {revisions[0]} to {revisions[-1]}",
        )
    return manifest


def is_archive(folder: Path) -> bool:
    """Whether everything in `folder` was written by an export, whatever its version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        files = {str(file["name"]) for file in manifest["files"]}
        ours = manifest["format"] == FORMAT
        return ours and {entry.name for entry in folder.iterdir()} <= files | _OTHER_FILES
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return False
