"""Secrets in text that is kept for later readers, such as the changes of somebody's code."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial

from sweep_plugins.url_secrets import without_secrets
from sweep_plugins.variable_secrets import HIDDEN, SECRET_NAME, without_values

# What is assigned to a name like that of a secret; to the end of its line, as YAML needs no quotes.
_ASSIGNED = re.compile(
    rf"((?:{SECRET_NAME})[\w-]{{0,40}}[\"']?[\])]?[ \t]{{0,9}}(?::=|[:=])(?!=))[ \t]{{0,9}}\S.*",
    re.IGNORECASE,
)
_KEY_BLOCK = re.compile(
    r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).*?(?=-----END [A-Z ]{0,40}PRIVATE KEY|\Z)", re.S
)
_KNOWN_FORM = re.compile(
    r"\b(?:gh[a-z]_|github_pat_|glpat-|hf_|sk-|xox[a-z]-|AKIA|ASIA)[A-Za-z0-9_-]{12,}"
)


def hide_secrets(text: str, variables: Mapping[str, str] = os.environ) -> str:
    """The text without what looks like a password, a token or a key.

    These are the values of such variables, passwords in URLs, what is assigned to a name like
    PASSWORD, private keys, and tokens of well-known forms. What is no secret may be hidden too.
    """
    text = without_secrets(_KEY_BLOCK.sub(rf"\1 {HIDDEN} ", text))
    text = without_values(text, variables)
    return _KNOWN_FORM.sub(HIDDEN, _ASSIGNED.sub(rf"\1 {HIDDEN}", text))


def hide_secrets_of_command(command: str, variables: Mapping[str, str] = os.environ) -> str:
    """The same of a command line, word by word."""
    return " ".join(map(partial(hide_secrets, variables=variables), command.split(" ")))
