"""From a path or URL to a folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from sweep_plugins import nearest
from sweep_plugins.url_secrets import HOLDS_SECRET, holds_secret
from trainers.errors import StorageError
from trainers.storage.base import Folder
from trainers.storage.local import LocalFolder

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def open_folder(
    location: str | Path,
    *,
    retry_seconds: float | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Folder:
    """The folder at a path or URL; nothing is read, written or connected to yet.

    Args:
        location: a path, or a URL of any scheme that fsspec knows: "s3://bucket/folder". Access
            keys come from where the scheme's package looks for them, such as the environment.
        retry_seconds: for how many seconds an operation that failed as unreachable is tried again,
            for a run whose storage this is; see RetryingFolder.
        on_wait: called with the reason before each pause, which lasts 5 seconds at most; what it
            raises ends the waiting.

    Raises:
        StorageError: the URL's scheme is unknown or needs a package that is not installed, or the
            URL holds a password or the like.
    """
    require_plain(str(location))
    url = _URL.fullmatch(location) if isinstance(location, str) else None
    if url is None:
        folder: Folder = LocalFolder(Path(location))
    elif url[1].lower() in ("file", "local"):
        folder = LocalFolder(_path_of_file_url(url[1], url[2]))
    else:
        folder = _remote_folder(url[1].lower(), url[2].rstrip("/"))
    if retry_seconds is None:
        return folder
    # Here, since it imports asyncio, which takes longer than a process that decodes images needs
    # to start.
    from trainers.storage.retrying import RetryingFolder

    return RetryingFolder(folder, retry_seconds, on_wait)


def require_plain(location: str) -> None:
    """Raises StorageError for a path or URL with a secret in it, a chain, and a misspelt URL."""
    url = _URL.fullmatch(location)
    # A key with a slash in it ends the authority early; then the port is not a number.
    _, colon, port = (url[2] if url else "").partition("/")[0].rpartition("@")[2].rpartition(":")
    if holds_secret(location) or (colon and not port.isdecimal()):
        shown = f" {url[1]}://..." if url else ""
        raise StorageError(
            f"storage{shown}: it {HOLDS_SECRET}, and set the environment variables of the scheme's"
            " package (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://)"
        )
    if url is None and "::" in location:
        raise StorageError("storage: one URL, or a path without ::, not a chain of URLs")
    if url is None and (scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/", location)):
        raise StorageError(
            f"storage {location}: a URL has two slashes, as in {scheme[1]}://; for a folder of that"
            f" name, write ./{location}"
        )


def _path_of_file_url(scheme: str, rest: str) -> Path:
    path = unquote(rest.removeprefix("localhost"), errors="surrogateescape")
    if not path.startswith("/"):
        raise StorageError(
            f"storage {scheme}://{rest}: after {scheme}:// comes an absolute path; "
            "for a relative one, leave the scheme out"
        )
    return Path(path)


def _remote_folder(scheme: str, rest: str) -> Folder:
    # Deferred, because a folder on disk does not need it.
    import fsspec

    from trainers.storage.remote import OBJECT_STORES, Connection, RemoteFolder

    url = f"{scheme}://{rest}"
    if "::" in rest or set("*?[") & set(rest):
        raise StorageError(f"storage {url}: none of ::, *, ? and [ can stand in it")
    if scheme in OBJECT_STORES and not rest:
        raise StorageError(f"storage {url}: a bucket is missing, as in {scheme}://bucket/folder")
    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None)
        way_out = f"pip install {missing.partition('.')[0]}" if missing else str(error)
        raise StorageError(
            f"storage {url}: {scheme}:// needs a package that is not installed here: {way_out}"
        ) from error
    except ValueError as error:
        known = fsspec.available_protocols()
        meant = nearest(scheme, known)
        hint = f"; did you mean {meant}://?" if meant else ""
        raise StorageError(
            f"storage {url}: fsspec knows no {scheme}://{hint} (s3:// and gs:// are among those "
            "that it knows; a folder on disk is given by its path)"
        ) from error
    connection = Connection(scheme, kind, kind._get_kwargs_from_urls(url))
    return RemoteFolder(url, kind._strip_protocol(url), connection)
