"""The contract of folders, over every kind of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from file_server import SCHEME as FILE_SERVER
from object_store import BUCKET, ObjectStore, object_store
from trainers.errors import StorageError
from trainers.storage import Folder, open_folder
from trainers.storage.local import LocalFolder

S3 = pytest.param("s3://", marks=pytest.mark.slow)  # starts a server
KINDS = ("path", "file://", "memory://", f"{FILE_SERVER}://", S3)

Open = Callable[[], Folder]


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as store:
        yield store


@pytest.fixture
def location(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Of an empty folder, of the kind that a test is parametrized with."""
    kind = request.param
    if kind == "s3://":
        store: ObjectStore = request.getfixturevalue("store")
        store.clear()
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        return f"{store.url}/runs"
    if kind == "memory://":
        return f"memory://{tmp_path.name}-{next(_numbers)}/runs"
    return f"{'' if kind == 'path' else kind}{tmp_path}/runs"


_numbers = count()

every_kind = pytest.mark.parametrize("location", KINDS, indirect=True)


@every_kind
def test_files_are_read_back_as_written(location: str) -> None:
    folder = open_folder(location)
    large = os.urandom(3_000_000)
    for name, content in {"one": b"1", "two.pt": b"", "Three-3_.sha256": large}.items():
        folder.write(name, content)
        assert folder.read(name) == content
    assert folder.names() == ["Three-3_.sha256", "one", "two.pt"]
    folder.write("one", b"another")
    assert folder.read("one") == b"another"
    assert folder.names() == ["Three-3_.sha256", "one", "two.pt"]


@every_kind
def test_missing_files_and_folders_read_as_absent(location: str) -> None:
    folder = open_folder(location)
    assert folder.names() == []
    for missing in (folder, folder.child("a"), folder.child("a").child("b")):
        with pytest.raises(FileNotFoundError, match="x"):
            missing.read("x")
        missing.remove("x")
        missing.remove_all()
    folder.write("here", b"")
    assert folder.child("a").names() == []
    with pytest.raises(FileNotFoundError, match="x"):
        folder.read("x")
    folder.remove("x")
    assert folder.names() == ["here"]


@every_kind
def test_folders_can_be_nested(location: str) -> None:
    folder = open_folder(location)
    one, ten = folder.child("run").child("1"), folder.child("run").child("10")
    one.write("file", b"one")
    ten.write("file", b"ten")
    folder.child("running").write("file", b"")
    folder.write("file", b"")
    assert folder.names() == ["file", "run", "running"]
    assert folder.child("run").names() == ["1", "10"]
    one.remove_all()
    assert ten.read("file") == b"ten"
    assert one.names() == []
    folder.child("run").remove_all()
    assert folder.names() == ["file", "running"]
    folder.remove("file")
    assert folder.names() == ["running"]
    folder.child("running").remove_all()
    assert folder.names() == []


@every_kind
def test_every_file_is_listed_with_its_size(location: str) -> None:
    folder = open_folder(location)
    assert list(folder.files()) == []
    folder.write("b", b"12")
    folder.child("a").child("1").write("c.pt", b"123")
    folder.child("ab").write("d", b"")
    assert sorted(folder.files()) == [("a/1/c.pt", 3), ("ab/d", 0), ("b", 2)]
    assert list(folder.child("a").files()) == [("1/c.pt", 3)]


@every_kind
def test_a_folder_can_be_reopened_by_its_location(location: str) -> None:
    folder = open_folder(location + "/")
    folder.child("a").write("file", b"content")
    assert open_folder(folder.location).child("a").read("file") == b"content"
    assert open_folder(folder.child("a").location).read("file") == b"content"
    assert folder.child("a").location == f"{folder.location}/a"


def test_the_folder_of_an_unknown_user_is_an_error_that_names_it() -> None:
    with pytest.raises(StorageError, match=r"storage ~no_such_user/runs is no path: "):
        open_folder("~no_such_user/runs")


def test_a_folder_whose_name_is_not_utf8_has_a_location_that_any_database_can_hold(
    tmp_path: Path,
) -> None:
    folder = open_folder(Path(os.fsdecode(os.fsencode(tmp_path) + b"/a%20 b\xff")))
    folder.child("a").write("file", b"content")
    assert folder.location == f"file://{tmp_path}/a%2520%20b%FF"
    assert open_folder(folder.location).location == folder.location
    assert open_folder(folder.child("a").location).read("file") == b"content"


@every_kind
@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/etc", "../up", "a\\b", "a\0b", "*", "a b", "ä", "a\n"]
)
def test_file_names_cannot_escape_the_folder(location: str, name: str) -> None:
    folder = open_folder(location)
    for use in (folder.read, folder.remove, folder.child, lambda name: folder.write(name, b"")):
        with pytest.raises(ValueError, match="is no name"):
            use(name)
    assert folder.names() == []


@every_kind
def test_changes_by_another_connection_are_visible_at_once(location: str) -> None:
    ours = open_folder(location)
    ours.child("1").write("a", b"")
    assert ours.child("1").names() == ["a"]

    def elsewhere(act: Callable[[Folder], None]) -> None:
        # Its own connection, with a listing of its own: fsspec keeps one for each thread.
        thread = threading.Thread(target=lambda: act(open_folder(location)))
        thread.start()
        thread.join()

    elsewhere(lambda theirs: theirs.child("1").write("b", b"theirs"))
    assert ours.child("1").names() == ["a", "b"]
    assert ours.child("1").read("b") == b"theirs"
    elsewhere(lambda theirs: theirs.child("2").write("c", b""))
    assert ours.names() == ["1", "2"]
    elsewhere(lambda theirs: theirs.child("1").remove("a"))
    assert ours.child("1").names() == ["b"]
    elsewhere(lambda theirs: theirs.child("1").remove_all())
    assert ours.names() == ["2"]
    elsewhere(lambda theirs: theirs.child("2").write("c", b"changed"))
    ours.child("2").remove_all()
    assert ours.names() == []


@every_kind
def test_a_reader_sees_only_complete_files(location: str) -> None:
    contents = [bytes([number]) * 300_000 for number in range(4)]
    open_folder(location).write("file", contents[0])
    done = threading.Event()

    def write(content: bytes) -> None:
        folder = open_folder(location)
        for _ in range(5):
            folder.write("file", content)

    def read() -> set[bytes]:
        folder = open_folder(location)
        seen = set()
        while not done.is_set():
            seen.add(folder.read("file"))
        return seen

    with ThreadPoolExecutor(6) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            list(threads.map(write, contents))
        finally:
            done.set()
        for reader in readers:
            assert reader.result() <= set(contents)
    assert open_folder(location).names() == ["file"]


@every_kind
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_folder_can_be_used_in_a_forked_process(location: str) -> None:
    if location.startswith("memory"):
        pytest.skip("each process has a memory of its own")
    folder = open_folder(location)
    folder.write("parent", b"before")
    process = os.fork()
    if process == 0:
        try:
            folder.write("child", folder.read("parent") + b" and after")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(process, 0)[1] == 0
    assert folder.read("child") == b"before and after"


NAMES = st.sampled_from(["a", "b", "c.pt"])
STEPS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.binary(max_size=40)),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("remove_all")),
)


@pytest.fixture
def opened(location: str) -> Folder:
    """Once for all examples, since each S3 client takes a tenth of a second to make."""
    return open_folder(location)


@every_kind
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.tuples(st.sampled_from(["1", "2"]), STEPS), max_size=8))
def test_a_folder_behaves_like_a_dictionary_of_files(
    location: str, opened: Folder, steps: list[tuple[str, tuple[str, ...]]]
) -> None:
    root = opened
    root.remove_all()
    model: dict[str, dict[str, bytes]] = {"1": {}, "2": {}}
    for where, (operation, *arguments) in steps:
        getattr(root.child(where), operation)(*arguments)
        match operation, arguments:
            case "write", [name, content]:
                model[where][name] = content  # type: ignore[assignment]
            case "remove", [name]:
                model[where].pop(name, None)
            case _:
                model[where].clear()
        for child, files in model.items():
            folder = root.child(child)
            assert folder.names() == sorted(files)
            assert {name: folder.read(name) for name in files} == files


def test_a_relative_storage_path_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_folder("runs").location == str(tmp_path / "runs")
    assert open_folder(Path("runs")).location == str(tmp_path / "runs")
    assert open_folder("~/runs").location == str(tmp_path / "home" / "runs")


def test_a_folder_is_shown_with_its_kind_and_location(tmp_path: Path) -> None:
    assert repr(open_folder(tmp_path)) == f"LocalFolder('{tmp_path}')"


def test_a_file_url_is_a_folder_on_disk(tmp_path: Path) -> None:
    # Its files are then on the disk when a write returns, which fsspec's own would not be.
    for url in ((tmp_path / "with space").as_uri(), f"file://localhost{tmp_path}/with space"):
        folder = open_folder(url)
        assert isinstance(folder, LocalFolder)
        assert folder.location == str(tmp_path / "with space")


def test_an_object_is_written_once_under_its_final_name(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.clear()
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    store.client.put_object(Bucket=BUCKET, Key="runs/", Body=b"")  # as consoles make folders
    folder = open_folder(f"{store.url}/runs")
    assert folder.names() == []
    folder.write("a", b"1")
    assert store.keys() == ["runs/", "runs/a"]
    assert folder.names() == ["a"]


def test_remove_all_empties_a_bucket_without_removing_it(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    bucket = open_folder(store.url)
    bucket.child("run").write("a", b"")
    bucket.write("b", b"")
    bucket.remove_all()
    assert store.keys() == []
    assert store.client.head_bucket(Bucket=BUCKET)
