"""A spec and those that it extends as one text: what is stored of a sweep, and can be run as it is.

The spec comes first. Each of the others follows a line that begins a YAML document and names it:

    --- # extended: "base.yaml"

In YAML such a line ends a document wherever it stands, so that no spec can hold one by accident. A
line break at the end of a text may be part of its last value. Where one had to be added, the line
says so:

    --- # extended: "base.yaml", after a text without a line break at its end
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_BEGIN = "--- # extended: "
_UNBROKEN = ", after a text without a line break at its end"
_HEADER = re.compile(rf'(\n?)^{_BEGIN}("[^\n]*")({_UNBROKEN})?[^\S\n]*(?:\n|\Z)', re.MULTILINE)


def split(text: str) -> tuple[str, dict[str, str]]:
    """The spec's own text, and the others' by name."""
    own, *rest = _HEADER.split(text) if _BEGIN in text else [text]
    texts, names = [own], []
    parts = (rest[part::4] for part in range(4))
    for line_break, header, unbroken, document in zip(*parts, strict=True):
        texts[-1] += "" if unbroken else line_break
        names.append(_name_in(header))
        texts.append(document)
    return texts[0], dict(zip(names, texts[1:], strict=True))


def _name_in(header: str) -> str:
    """As it is written, where an editor or an archive has put what is no text of JSON."""
    try:
        name: str = json.loads(header)
        name.encode()
    except ValueError:
        return header
    return name


def join(own: str, others: Mapping[str, str]) -> str:
    """The text of which `split` makes these again."""
    joined = own
    for name, text in others.items():
        unbroken = joined and not joined.endswith("\n")
        begin = f"\n{_BEGIN}" if unbroken else _BEGIN
        joined += f"{begin}{json.dumps(name)}{_UNBROKEN if unbroken else ''}\n{text}"
    return joined
