"""What an attempt says of its machine, packages and code: its keys, and their values as text."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from results.json_values import to_json

FILES_LEFT_OUT = "files_left_out"
"""Its key for sentences about files that the run wrote and does not keep."""

IMAGES_LEFT_OUT = "images_left_out"
"""Its key for sentences about images of the dataset that the run could not decode and left out."""

AFTER_RUN = "after_run"
"""Its key for the run that was claimed with it and comes before it on the same slot."""

PLACE = "place"
"""Its key for the number of runs that were claimed with it and come before it on that slot."""

OF_ONE_ATTEMPT = frozenset({"pid", "driver_pid", "started_at", "finished_at", "first_epoch"}) | {
    AFTER_RUN,
    PLACE,
    FILES_LEFT_OUT,
    IMAGES_LEFT_OUT,
}
"""What differs from one attempt to the next on one machine."""

OF_CODE = frozenset({"git_commit", "repositories", "sources", "accepted_code"})

_OF_CODE_STATE = frozenset({"repositories", "sources", "accepted_code", "packages"})
"""What is long, and the same of many attempts: the database has it once for each content."""


class CodeState(NamedTuple):
    """A row of `code_states`: what is said of code, under the SHA-256 of its JSON."""

    sha256: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A provenance in the parts that the database keeps: of the attempt alone, and of the code."""

    own: dict[str, Any]
    code: CodeState | None

    @property
    def code_sha256(self) -> str | None:
        """The key of `code`."""
        return None if self.code is None else self.code.sha256


def in_parts(provenance: Mapping[str, Any]) -> Told:
    """The provenance in its parts; together they are the whole."""
    content = {key: value for key, value in provenance.items() if key in _OF_CODE_STATE}
    own = {key: value for key, value in provenance.items() if key not in _OF_CODE_STATE}
    return Told(own, CodeState(digest(content), content) if content else None)


def digest(content: Any) -> str:
    """The SHA-256 of this as the database stores it, 64 hex digits."""
    return hashlib.sha256(to_json(content).encode()).hexdigest()


_DIGEST = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{28}|[0-9a-f]{52})\b")


def short_digests(text: str) -> str:
    """The text with the first 12 digits of each SHA-256, and of each commit of Git."""
    return _DIGEST.sub(r"\1", text)


def fact_text(value: Any) -> str:
    """A value of a provenance on one line; of changed code, the digest of what was changed."""
    if isinstance(value, Mapping):
        if "commit" in value:
            return _repository(value)
        return ", ".join(f"{name} {fact_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(fact_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def _repository(state: Mapping[str, Any]) -> str:
    text = f"{state.get('repository')} at {state['commit'] or 'no commit'}"
    if changed := state.get("diff_sha256"):
        text += f" with changes {str(changed)[:12]}"
    if isinstance(untracked := state.get("untracked"), list):
        text += f", untracked: {', '.join(map(str, untracked))}"
    return text


def files_left_out(provenance: Any) -> list[str]:
    """Why files that the run wrote are not kept; an archive may say anything of an attempt."""
    return _sentences(provenance, FILES_LEFT_OUT)


def images_left_out(provenance: Any) -> list[str]:
    """Which images of its dataset the run did not use, likewise."""
    return _sentences(provenance, IMAGES_LEFT_OUT)


def _sentences(provenance: Any, key: str) -> list[str]:
    told = provenance.get(key) if isinstance(provenance, Mapping) else None
    return [text for text in told if isinstance(text, str)] if isinstance(told, list) else []
