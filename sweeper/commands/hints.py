"""The commands that sentences name: each works as it is typed where the sentence was read."""

from __future__ import annotations

import re
import shlex

from sweeper.commands import COMMANDS

_WITHOUT_HOME = {"specs", "init"}
_NAMES = "|".join(name for name in COMMANDS.own if name not in _WITHOUT_HOME)
_QUOTED = re.compile(rf"'(sweep (?:{_NAMES})\b[^'\n]*)'")


def with_options(text: str, options: str) -> str:
    """The text, where each command that it quotes has these options as well.

    Who raises an error need not know by which options this command found its home.
    """
    return _QUOTED.sub(lambda found: f"'{found[1]}{options}'", text)


def on_lines(command: str, width: int) -> list[str]:
    """The command on lines of this width, which a shell takes together."""
    lines = [""]
    for word in map(shlex.quote, shlex.split(command)):
        if lines[-1] and len(lines[-1]) + len(word) + 3 > width:
            lines[-1] += " \\"
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines
