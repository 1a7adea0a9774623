"""A spec and those that it extends as one text: what is stored of a sweep, and can be run as it is.

The spec comes first. Each of the others follows a line that begins a YAML document and names it:

    --- # extended: "base.yaml"

In YAML such a line ends a document wherever it stands, so that no spec can hold one by accident.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_HEADER = re.compile(r'^--- # extended: ("[^\n]*")[^\S\n]*\n', re.MULTILINE)


def split(text: str) -> tuple[str, dict[str, str]]:
    """The spec's own text, and the others' by name."""
    own, *rest = _HEADER.split(f"{text}\n" if "--- # extended: " in text else text)
    return own, {
        _name_in(header): document for header, document in zip(rest[::2], rest[1::2], strict=True)
    }


def _name_in(header: str) -> str:
    """As it is written, where an editor or an archive has put what is no text of JSON."""
    try:
        name: str = json.loads(header)
        name.encode()
    except ValueError:
        return header
    return name


def join(own: str, others: Mapping[str, str]) -> str:
    """The text of which `split` makes these again, but for line breaks at the ends of texts."""
    documents = [own, *(f"--- # extended: {json.dumps(n)}\n{t}" for n, t in others.items())]
    ended = (text.rstrip("\r\n") + "\n" for text in documents)
    return "".join(ended) if others else own
