"""Storage that cannot be used: what is raised, what is left, and what is tried again."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fsspec.registry import known_implementations

from file_server import SCHEME, FileServer
from object_store import ObjectStore, object_store
from trainers.errors import (
    StorageError,
    StorageFullError,
    StorageUnreachableError,
    UnfitFileError,
)
from trainers.storage import Folder, open_folder
from trainers.storage.retrying import RetryingFolder

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FAILED = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EROFS, errno.EACCES, errno.ENOENT)

Fail = Callable[[str, BaseException], None]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Makes one operation of the file server raise from now on."""

    def fail(failing_operation: str, error: BaseException) -> None:
        def before(operation: str, path: str) -> None:
            if operation == failing_operation:
                raise error

        monkeypatch.setattr(FileServer, "before", staticmethod(before))

    return fail


def server_folder(path: Path) -> Folder:
    return open_folder(f"{SCHEME}://{path}")


# What is raised


@pytest.mark.parametrize("code", FULL + FAILED, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failed_write_names_the_file_and_the_reason_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    folder = open_folder(tmp_path / "run")
    folder.write("old", b"old")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    if call == "write":
        monkeypatch.setattr("builtins.open", fail)
    else:
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(StorageFullError if code in FULL else StorageUnreachableError) as caught:
        folder.write("file", b"content")
    with pytest.raises(StorageError):
        folder.write("old", b"new")
    monkeypatch.undo()
    assert str(tmp_path / "run" / "file") in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert folder.names() == ["old"]
    assert folder.read("old") == b"old"


def test_a_path_through_a_file_is_an_error_for_every_operation(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = open_folder(tmp_path / "file" / "run")
    for use in (lambda: folder.write("a", b""), lambda: folder.read("a"), folder.names):
        with pytest.raises(StorageError, match=f"{tmp_path}/file.*Not a directory") as caught:
            use()
        assert type(caught.value) is StorageError  # no waiting makes a folder of a file


def test_reading_a_folder_as_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    folder = open_folder(tmp_path)
    with pytest.raises(UnfitFileError, match=f"{tmp_path}/sub is a folder, not a file"):
        folder.read("sub")
    with pytest.raises(StorageError, match=f"{tmp_path}/sub cannot be removed"):
        folder.remove("sub")


def test_something_else_in_the_place_of_a_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "linked").symlink_to("file")
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "other name").write_bytes(b"")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    folder = open_folder(tmp_path, retry_seconds=60)
    with pytest.raises(UnfitFileError, match="pipe is a named pipe, not a file"):
        folder.read("pipe")
    with pytest.raises(UnfitFileError, match="zeros is a device, not a file"):
        folder.read("zeros")
    with pytest.raises(StorageError, match="socket"):
        folder.read("socket")
    with pytest.raises(FileNotFoundError):
        folder.read("dangling")
    with pytest.raises(StorageError, match="loop cannot be read"):
        folder.read("loop")
    with pytest.raises(UnfitFileError, match="has 7 bytes, where at most 6 are read"):
        folder.read("file", 6)
    assert folder.read("linked", 7) == b"content"
    # A name that no Folder has given is none of its own.
    assert folder.names() == sorted(
        {"pipe", "zeros", "dangling", "loop", "linked", "file", "socket"}
    )
    folder.write("pipe", b"a file now")
    assert folder.read("pipe") == b"a file now"


@pytest.mark.parametrize("operation", ["put", "move"])
def test_an_interrupted_upload_leaves_the_old_file(
    tmp_path: Path, failing: Fail, operation: str
) -> None:
    folder = server_folder(tmp_path)
    folder.write("file", b"old")
    failing(operation, ConnectionResetError("the connection was reset"))
    with pytest.raises(StorageUnreachableError, match="file cannot be written: the connection"):
        folder.write("file", b"new content")
    with pytest.raises(StorageUnreachableError, match="other cannot be written"):
        folder.write("other", b"new content")
    assert folder.names() == ["file"]
    assert folder.read("file") == b"old"


class BotoError(Exception):
    """As those of botocore: no OSError."""


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left"), StorageFullError),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StorageFullError),
        (PermissionError("Access Denied"), StorageUnreachableError),
        (TimeoutError(), StorageUnreachableError),
        (FileNotFoundError("The specified bucket does not exist"), StorageUnreachableError),
        (BotoError("Could not connect to the endpoint URL"), StorageUnreachableError),
        (RuntimeError("Loop is not running"), StorageUnreachableError),
        (NotImplementedError("read only"), StorageError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_errors_of_any_file_system_become_one_of_three_types(
    tmp_path: Path, failing: Fail, error: Exception, raised: type[StorageError]
) -> None:
    folder = server_folder(tmp_path)
    failing("put", error)
    with pytest.raises(StorageError) as caught:
        folder.write("file", b"content")
    assert type(caught.value) is raised
    message = str(caught.value)
    assert message.startswith(f"{SCHEME}://{tmp_path}/file cannot be written: ")
    assert (getattr(error, "strerror", None) or str(error) or "TimeoutError") in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_listing_reading_and_removing_raise_the_same_error_types(
    tmp_path: Path, failing: Fail
) -> None:
    folder = server_folder(tmp_path / "run")
    folder.write("file", b"")
    for operation, use in {
        "get": lambda: folder.read("file"),
        "list": folder.names,
        "remove": lambda: folder.remove("file"),
    }.items():
        failing(operation, BotoError("away"))
        with pytest.raises(StorageUnreachableError, match="away"):
            use()
    with pytest.raises(StorageUnreachableError, match="away"):
        folder.remove_all()


def test_a_failed_storage_connection_is_reopened(tmp_path: Path, failing: Fail) -> None:
    folder = server_folder(tmp_path)
    folder.write("file", b"content")
    before = FileServer.connections
    folder.child("a").write("file", b"content")
    with pytest.raises(FileNotFoundError):
        folder.read("missing")
    assert FileServer.connections == before
    failing("get", BotoError("broken pipe"))
    with pytest.raises(StorageUnreachableError):
        folder.read("file")
    failing("nothing", BotoError())
    assert folder.read("file") == b"content"
    assert folder.child("a").read("file") == b"content"
    assert FileServer.connections == before + 1


# What cannot be opened

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIA:{SECRET}@bucket/runs",
        f"s3://AKIA:{SECRET}/K7MDENG+b@bucket/runs",
        f"s3://AKIA:/{SECRET}@bucket/runs",
        f"S3://:{SECRET}@bucket",
        f"sftp://user:{SECRET}@host:22/runs",
        f"memory://user:p@{SECRET}@host/runs",
        f"nowhere://user:{SECRET}@host",
        f"file://user:{SECRET}@host/runs",
        f"s3:/AKIA:{SECRET}@bucket/runs",
        f"AKIA:{SECRET}@bucket/runs",
        f"s3://bucket/runs?token={SECRET}",
        f"abfs://c@account.dfs.core.windows.net/runs?sv=1&sig={SECRET}",
        f"simplecache::s3://AKIA:{SECRET}@bucket/runs",
        f"/data/runs?secret={SECRET}",
    ],
)
def test_a_password_in_a_storage_url_is_refused_and_never_shown(
    url: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(StorageError) as caught:
        open_folder(url)
    shown = "".join([str(caught.value), repr(caught.value), caplog.text, *capsys.readouterr()])
    assert SECRET not in shown
    assert "holds what looks like a password or a token" in shown
    assert "AWS_SECRET_ACCESS_KEY" in shown


def test_a_chained_storage_url_is_refused() -> None:
    with pytest.raises(StorageError, match="not a chain of URLs"):
        open_folder("simplecache::s3://bucket/runs")


def test_a_storage_url_without_its_second_slash_is_no_folder() -> None:
    with pytest.raises(StorageError, match=r"s3:/bucket/runs: a URL has two slashes, as in s3://"):
        open_folder("s3:/bucket/runs")


def test_a_password_in_a_librarys_error_is_redacted(tmp_path: Path, failing: Fail) -> None:
    failing("get", BotoError(f"Could not connect to https://user:{SECRET}@proxy:8080/bucket"))
    with pytest.raises(StorageUnreachableError) as caught:
        server_folder(tmp_path).read("file")
    assert str(caught.value).endswith("Could not connect to https://proxy:8080/bucket")


@pytest.mark.parametrize("url", ["memory://host:8020/runs", "memory://a/b@c:d/e"])
def test_ports_and_unusual_names_are_not_taken_for_passwords(url: str) -> None:
    assert open_folder(url).location == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s4://bucket/runs", "fsspec knows no s4://; did you mean s3://?"),
        ("qqqqqq://bucket", "fsspec knows no qqqqqq:// (s3:// and gs://"),
        ("s3://", "a bucket is missing, as in s3://bucket/folder"),
        ("s3:///", "a bucket is missing"),
        ("s3://bucket/runs*", "none of ::, *, ? and [ can stand in it"),
        ("s3://bucket/runs?versionId=3", "none of ::, *, ? and [ can stand in it"),
        ("file://host/runs", "after file:// comes an absolute path"),
    ],
)
def test_a_storage_url_that_is_no_folder_is_refused_at_once(url: str, message: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_folder(url)
    assert type(caught.value) is StorageError
    assert message in str(caught.value)
    assert url.rstrip("/") in str(caught.value)


def test_a_missing_storage_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"class": "no_such_package.files.Store", "err": "Get it"}
    monkeypatch.setitem(known_implementations, "ours", known)
    with pytest.raises(StorageError, match=r"ours:// needs .*: pip install no_such_package$"):
        open_folder("ours://bucket")


# What is tried again


class Clock:
    """Time that passes only during sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.sleep", clock.sleep)
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def away(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Takes the file server away for `seconds` from now."""

    def leave(seconds: float) -> None:
        until = clock.now + seconds

        def before(operation: str, path: str) -> None:
            if clock.now < until:
                raise BotoError(f"no route to host for {operation}")

        monkeypatch.setattr(FileServer, "before", staticmethod(before))

    return leave


def test_every_operation_waits_until_the_storage_is_back(
    tmp_path: Path, clock: Clock, away: Callable[[float], None]
) -> None:
    reasons: list[str] = []
    folder = open_folder(f"{SCHEME}://{tmp_path}", retry_seconds=60, on_wait=reasons.append).child(
        "1"
    )
    for use, expected in [
        (lambda: folder.write("file", b"content"), None),
        (lambda: folder.read("file"), b"content"),
        (folder.names, ["file"]),
        (lambda: folder.remove("file"), None),
        (folder.remove_all, None),
    ]:
        away(30)
        started = clock.now
        assert use() == expected
        assert 30 <= clock.now - started <= 35
    assert folder.names() == []
    assert len(reasons) == len(clock.pauses)
    assert reasons[0].startswith(f"{SCHEME}://{tmp_path}/1/file cannot be written: no route")


def test_storage_retries_back_off_to_5_s_and_end_after_retry_seconds(
    tmp_path: Path, clock: Clock, away: Callable[[float], None]
) -> None:
    folder = open_folder(f"{SCHEME}://{tmp_path}", retry_seconds=20)
    away(1000)
    with pytest.raises(StorageUnreachableError, match="no route to host"):
        folder.write("file", b"content")
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 3.7])
    assert sum(clock.pauses) == pytest.approx(20)


def test_each_operation_is_retried_for_all_of_retry_seconds(
    tmp_path: Path, clock: Clock, away: Callable[[float], None]
) -> None:
    folder = open_folder(f"{SCHEME}://{tmp_path}", retry_seconds=40)
    for number in range(3):
        away(30)
        folder.write(str(number), b"")
    assert folder.names() == ["0", "1", "2"]


def test_without_retry_seconds_storage_errors_are_immediate(
    tmp_path: Path, clock: Clock, away: Callable[[float], None]
) -> None:
    away(0.01)
    with pytest.raises(StorageUnreachableError):
        server_folder(tmp_path).write("file", b"")
    assert clock.pauses == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), NotImplementedError("read only")], ids=str
)
def test_permanent_storage_errors_are_not_retried(
    tmp_path: Path, clock: Clock, failing: Fail, error: Exception
) -> None:
    failing("put", error)
    with pytest.raises(StorageError):
        open_folder(f"{SCHEME}://{tmp_path}", retry_seconds=60).write("file", b"content")
    assert clock.pauses == []


def test_a_missing_file_is_not_retried(tmp_path: Path, clock: Clock) -> None:
    folder = open_folder(tmp_path, retry_seconds=60)
    with pytest.raises(FileNotFoundError):
        folder.read("file")
    assert folder.names() == []
    assert clock.pauses == []


def test_the_callback_told_of_waiting_can_end_it(
    tmp_path: Path, clock: Clock, away: Callable[[float], None]
) -> None:
    def enough(reason: str) -> None:
        if len(clock.pauses) == 3:
            raise KeyboardInterrupt

    away(1000)
    with pytest.raises(KeyboardInterrupt):
        open_folder(f"{SCHEME}://{tmp_path}", retry_seconds=60, on_wait=enough).names()
    assert len(clock.pauses) == 3


def test_after_a_failed_fsync_the_file_is_written_again(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel may drop the pages that it could not write, and call the next fsync a success.
    synced: list[tuple[int, bytes]] = []
    fsync = os.fsync

    def first_fails(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}")
        if path.is_file():
            synced.append((os.fstat(descriptor).st_ino, path.read_bytes()))
            names.append(path.readlink().name)
            if len(synced) == 1:
                raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    names: list[str] = []
    monkeypatch.setattr(os, "fsync", first_fails)
    folder = open_folder(tmp_path, retry_seconds=60)
    folder.write("file", b"content")
    assert [content for _, content in synced] == [b"content", b"content"]
    assert len(set(names)) == 2
    assert os.stat(tmp_path / "file").st_ino == synced[1][0]
    assert folder.names() == ["file"]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    with object_store() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        yield store


@pytest.mark.slow
def test_an_outage_of_a_real_object_store_is_survived(store: ObjectStore) -> None:
    retrying = open_folder(f"{store.url}/runs", retry_seconds=60)
    failing = open_folder(f"{store.url}/runs")
    retrying.write("a", b"1")
    assert failing.read("a") == b"1"
    store.stop()
    for use in (lambda: failing.write("b", b""), lambda: failing.read("a"), failing.names):
        with pytest.raises(StorageUnreachableError, match=r"s3://sweeps/runs.*Could not connect"):
            use()
    waiting = threading.Event()
    told: list[str] = []

    def tell(reason: str) -> None:
        told.append(reason)
        waiting.set()

    def come_back() -> None:
        assert waiting.wait(30)
        store.start()

    back = threading.Thread(target=come_back)
    back.start()
    open_folder(f"{store.url}/runs", retry_seconds=60, on_wait=tell).write("b", b"2")
    back.join()
    assert told
    assert retrying.names() == ["a", "b"]
    assert failing.read("b") == b"2"


@pytest.mark.slow
def test_writing_to_a_missing_bucket_is_an_error(store: ObjectStore) -> None:
    folder = open_folder("s3://no-such-bucket/runs")
    assert folder.names() == []
    with pytest.raises(FileNotFoundError):
        folder.read("a")
    with pytest.raises(StorageUnreachableError, match="bucket does not exist"):
        folder.write("a", b"")


def test_storage_is_only_retried_if_retry_seconds_is_given(tmp_path: Path) -> None:
    assert not isinstance(open_folder(tmp_path), RetryingFolder)
    assert isinstance(open_folder(tmp_path, retry_seconds=1).child("a"), RetryingFolder)
