"""Database URLs: what they name, and how they are shown without their password."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from results.database.inherited_password import kept
from results.errors import DatabaseURLError
from sweep_plugins.url_secrets import HOLDS_SECRET, holds_secret

_SQLITE = ("sqlite", "sqlite+pysqlite")
_POSTGRES = ("postgresql", "postgresql+psycopg", "postgres")
_SECRET_OPTIONS = (
    "password",
    "sslpassword",
    "oauth_client_secret",
    "scram_client_key",
    "scram_server_key",
)
_EXAMPLES = (
    "write sqlite:///relative.db, sqlite:////absolute.db or"
    " postgresql://user:password@host:5432/database"
)
_SPECIAL = "special characters in a name or password are percent-encoded, as in %40 for @"
_NOT_REPEATED = "it is not repeated here, as it may hold a password"


@dataclass(frozen=True)
class SqliteAddress:
    """A SQLite file: an absolute path with links resolved."""

    path: Path

    @property
    def shown(self) -> str:
        """The file's path."""
        return str(self.path)


@dataclass(frozen=True)
class PostgresAddress:
    """A Postgres database.

    `url` has no secret in it, so that nothing made of it can show one; `credentials` are the
    further arguments of a connection, and must never be shown.
    """

    url: URL
    credentials: Mapping[str, str] = field(repr=False)

    @property
    def shown(self) -> str:
        """The URL without its options."""
        url = self.url
        user = f"{quote(url.username)}@" if url.username else ""
        host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
        port = f":{url.port}" if url.port else ""
        return f"postgresql://{user}{host}{port}/{quote(url.database or '')}"

    def without_secrets(self, text: str) -> str:
        """`text` with every secret in it, plain or percent-encoded, replaced by stars."""
        secrets = {*self.credentials.values()}
        secrets |= {quote(secret, safe="") for secret in secrets}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def parse_address(url: str) -> SqliteAddress | PostgresAddress:
    """What a database URL names.

    Raises DatabaseURLError for anything but SQLite files and Postgres databases. No part of a URL
    that is not understood is repeated in the message: it may be a password. For the same reason
    a URL that can be read in more than one way is refused.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise DatabaseURLError(f"that is not a database URL ({_NOT_REPEATED}); {_EXAMPLES}")
    if scheme in _SQLITE:
        return _sqlite(rest)
    if scheme in _POSTGRES:
        return _postgres(url)
    # A scheme has no place for a secret, unless the whole is no URL as we know them.
    named = f" {scheme!r}" if re.fullmatch(r"[a-z]+(\+[a-z0-9]+)?", scheme) else ""
    raise DatabaseURLError(f"unsupported database{named}; {_EXAMPLES}")


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{quote(os.fsencode(path))}"


def _sqlite(rest: str) -> SqliteAddress:
    authority, slash, encoded = rest.partition("/")
    encoded, question, _ = encoded.partition("?")
    path = unquote(encoded, errors="surrogateescape")  # file names need not be UTF-8
    if authority or not slash or path in ("", ":memory:") or "\0" in path:
        raise DatabaseURLError(f"the SQLite URL names no file; {_EXAMPLES}")
    if holds_secret(path):
        raise DatabaseURLError(
            f"the SQLite URL {HOLDS_SECRET}: a file has no password; {_EXAMPLES}"
        )
    if question:
        raise DatabaseURLError(
            f"the URL of {path} has options after '?', which are not taken (in a file's name it"
            f" is %3F); {_EXAMPLES}"
        )
    try:
        # Two names of one file must share one driver lock.
        return SqliteAddress(Path(path).expanduser().resolve())
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, unknown ~user
        raise DatabaseURLError(f"{path} names no file: {error}; check --db") from None


def _postgres(text: str) -> PostgresAddress:
    if text.count("@") > 1:
        raise DatabaseURLError(
            f"the Postgres URL has more than one '@' ({_NOT_REPEATED}): {_SPECIAL}"
        )
    url = _parsed(text)
    if url is None or ("@" in text and url.username is None) or not _plausible(url):
        raise DatabaseURLError(
            f"the Postgres URL cannot be read ({_NOT_REPEATED}); {_EXAMPLES}; {_SPECIAL}"
        )
    if not url.database:
        raise DatabaseURLError(f"the Postgres URL names no database after the host; {_EXAMPLES}")
    credentials = {"password": url.password or ""}
    for name in _SECRET_OPTIONS:
        given = url.query.get(name)
        if isinstance(given, tuple) or (given and credentials.get(name)):
            raise DatabaseURLError(f"the Postgres URL has its {name} more than once")
        credentials[name] = given or credentials.get(name, "")
    service = url.query.get("service")
    if not credentials["password"]:
        credentials["password"] = kept(service if isinstance(service, str) else None)
    # Not set() with None, which would mean: as it is.
    bare = URL.create(
        "postgresql+psycopg", url.username, None, url.host, url.port, url.database
    ).update_query_dict({k: v for k, v in url.query.items() if k not in _SECRET_OPTIONS})
    return PostgresAddress(bare, {name: value for name, value in credentials.items() if value})


def _parsed(text: str) -> URL | None:
    # What SQLAlchemy and int() say of a URL they cannot read quotes a part of it.
    with suppress(ArgumentError, ValueError):
        return make_url(text)
    return None


def _plausible(url: URL) -> bool:
    """False for what no server takes, or only a URL that was read wrongly holds."""
    options = [text for values in url.normalized_query.values() for text in values]
    texts = [url.username, url.password, url.host, url.database, *url.query, *options]
    return (
        all(text.isprintable() for text in (url.username, url.host, url.database) if text)
        and not re.search(r"[\0\ud800-\udfff]", "".join(filter(None, texts)))
        and not re.search(r"[\s@]", url.host or "")
        and not re.search(r"[/@]", url.database or "")
        and 0 < (url.port or 5432) < 65536
    )
