"""`result.json`: the result of a run as its attempt stores it, with the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from trainers.errors import ResultError, UnfitFileError
from trainers.storage import Folder

RESULT_FILE = "result.json"
RESULT_FORMAT = 1

LARGEST_RESULT = 2**28
"""Bytes of JSON. Of a run's values of probes it has room for a million."""

_DIGEST_LINE = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",\n')


def as_json(result: Any) -> str:
    """Raises ResultError for what no JSON, or too large a one, can hold."""
    try:
        text = json.dumps(result, allow_nan=False, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"the result cannot be stored as JSON: {error}") from error
    if len(text) > LARGEST_RESULT:  # it is ASCII
        raise ResultError(
            f"the result has {len(text):,} bytes as JSON, where at most {LARGEST_RESULT:,} are read"
        )
    return text


def store_result(folder: Folder, result: dict[str, Any]) -> dict[str, Any]:
    """Write result.json; what is read of it. Raises ResultError for what it cannot hold.

    Its first key is the SHA-256 of all bytes after that line: one file, so that there is no moment
    at which the result is there and its digest is not.
    """
    text = as_json(result)
    rest = text.removeprefix("{\n").encode()
    digest = hashlib.sha256(rest).hexdigest()
    folder.write(RESULT_FILE, f'{{\n "sha256": "{digest}",\n'.encode() + rest)
    return dict(json.loads(text))


def read_result(folder: Folder, run_id: str) -> dict[str, Any] | None:
    """The result that an attempt stored in `folder`, or None if there is no whole one of that run.

    Raises:
        StorageUnreachableError: whether there is one cannot be known now.
        ResultError: it is whole, as its digest says, and no JSON that can be read; or something
            else is in its place.
    """
    try:
        content = folder.read(RESULT_FILE, LARGEST_RESULT + 1_000)
    except FileNotFoundError:
        return None
    except UnfitFileError as error:
        raise ResultError(str(error)) from error
    line = _DIGEST_LINE.match(content)
    if line is None or hashlib.sha256(content[line.end() :]).hexdigest() != line[1].decode():
        return None
    try:
        result: dict[str, Any] = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{folder.location}/{RESULT_FILE} is no JSON: {error}") from error
    del result["sha256"]
    theirs = (result.get("format", RESULT_FORMAT), result.get("run_id", run_id))
    return result if theirs == (RESULT_FORMAT, run_id) else None
