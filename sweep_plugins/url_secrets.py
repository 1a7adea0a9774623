"""Secrets in URLs: the one rule for what is one, wherever a URL may stand.

What is given as a place is stored, shown, logged and sent to workers, so it must hold none; and
text of others, such as the message of an error, may quote a URL that does.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

# Repetitions are bounded, so that no text takes long.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,20}:"
# With a port, as in host:8080/me@home, the colon is followed by digits alone.
_PASSWORD = r"[^/@\s:\[]{0,100}:(?!\d{1,5}(?:[/?#\s]|$))[^@\s]{0,500}@(?:[^/@\s]{0,100}@){0,3}"
_OPTION = (
    r"(?:[?&;#][\w.-]{0,40}(?:token|secret|passw|pwd|signature|credential"
    r"|(?:api|access|private|account)[_-]?key)[\w.-]{0,40}|[?&](?:sig|sas|key|auth|code))="
)

_URL = re.compile(rf"(\b{_SCHEME}/{{0,5}}|//){_PASSWORD}", re.IGNORECASE)
_WITHOUT_SCHEME = re.compile(rf"/*(?![^:]*:/){_PASSWORD}")
_VALUE = re.compile(rf"({_OPTION})[^&\s\"'<>]+", re.IGNORECASE)


HOLDS_SECRET = (
    "holds what looks like a password or a token, which would be stored and shown with it (it is"
    " not repeated here); leave it out"
)
"""What to say of a place that holds one, before the way out."""


def quotes_secret(text: str) -> bool:
    """Whether a URL with a password, or with an option that looks like a secret, is in the text."""
    texts = (text, unquote(text)) if "%" in text else (text,)
    return any(
        ("@" in each and _URL.search(each)) or ("=" in each and _VALUE.search(each))
        for each in texts
    )


def holds_secret(place: str) -> bool:
    """The same of a path or URL, and one that has lost its scheme: user:password@host/folder."""
    return quotes_secret(place) or any(
        _WITHOUT_SCHEME.match(each) for each in (place, unquote(place))
    )


def without_secrets(text: str) -> str:
    """The text without the passwords in its URLs, and their users, and the values of options."""
    if "@" in text:
        text = _URL.sub(r"\1", text)
    return _VALUE.sub(r"\1***", text) if "=" in text else text
