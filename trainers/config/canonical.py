"""Canonical JSON (RFC 8785) of configs, by whose hash runs and evaluations are identified.

What is None in a part of a config is left out, so that a new option whose neutral value is None
changes no identity.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import rfc8785
from pydantic import BaseModel

SHA256 = "^[0-9a-f]{64}$"
"""A pattern: of the code that decides a result, where a config has that."""


def json_value(value: Any) -> Any:
    """A field of a config as JSON; what several configs share is one object, not to be changed."""
    if isinstance(value, tuple):
        return [_json_part(part) for part in value]
    return _json_part(value) if isinstance(value, BaseModel) else value


def canonical(value: Any) -> bytes:
    """The canonical JSON of a field of a config."""
    if isinstance(value, tuple):
        return b"[" + b",".join(map(_canonical_part, value)) + b"]"
    return _canonical_part(value) if isinstance(value, BaseModel) else rfc8785.dumps(value)


def identity(text: bytes) -> str:
    """16 hex digits of the SHA-256."""
    return hashlib.sha256(text).hexdigest()[:16]


def identity_of_json(config: Mapping[str, Any]) -> str:
    """The identity that a config has which is JSON already, as a database keeps it.

    Raises ValueError, or RecursionError, for what has no canonical JSON, such as 2**53.
    """
    parts = sorted(config.items(), key=lambda item: item[0].encode("utf-16-be"))
    # Runs of a sweep have most of their parts in common.
    texts = (
        _canonical_key(key)
        + b":"
        + (_canonical_json(json.dumps(part)) if isinstance(part, dict) else rfc8785.dumps(part))
        for key, part in parts
    )
    return identity(b"{" + b",".join(texts) + b"}")


@lru_cache(maxsize=1 << 10)
def _canonical_key(key: str) -> bytes:
    return rfc8785.dumps(key)


@lru_cache(maxsize=1 << 10)
def _canonical_json(text: str) -> bytes:
    return rfc8785.dumps(json.loads(text))


@lru_cache(maxsize=1 << 16)
def _json_part(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_none=True)


@lru_cache(maxsize=1 << 16)
def _canonical_part(part: BaseModel) -> bytes:
    return rfc8785.dumps(_json_part(part))
