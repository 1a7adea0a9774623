"""What an attempt says of its machine, packages and code: its keys, and their values as text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

FILES_LEFT_OUT = "files_left_out"
"""Its key for sentences about files that the run wrote and does not keep."""

OF_ONE_ATTEMPT = frozenset(
    {"pid", "driver_pid", "started_at", "finished_at", "first_epoch", FILES_LEFT_OUT}
)
"""What differs from one attempt to the next on one machine."""

OF_CODE = frozenset({"git_commit", "repositories", "sources", "accepted_code"})


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
    told = provenance.get(FILES_LEFT_OUT) if isinstance(provenance, Mapping) else None
    return [text for text in told if isinstance(text, str)] if isinstance(told, list) else []
