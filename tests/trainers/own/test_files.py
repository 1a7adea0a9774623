"""The folder of files that a trainer writes into, and what is kept of it."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep_plugins.file_path import problem_of_path
from trainers.config.file_limits import FileLimits
from trainers.config.trainer_run import TrainerRun
from trainers.errors import UnfitFileError
from trainers.own import files as own_files
from trainers.own.files import STORED, RunFiles, read_stored
from trainers.own.job import Job
from trainers.storage import Folder, open_folder

CONFIG = TrainerRun(trainer="mine:train", seed=1)
_numbers = count()


@pytest.fixture(params=["path", "memory://"])
def home(request, tmp_path) -> Folder:
    """A run's folder, on a disk and elsewhere."""
    if request.param == "path":
        return open_folder(tmp_path / "run")
    return open_folder(f"memory://{tmp_path.name}-{next(_numbers)}/run")


@pytest.fixture
def folder(home) -> Folder:
    return home.child("1")


def kept_of(files: RunFiles) -> dict[str, int]:
    kept, left_out = files.keep()
    assert left_out == []
    return {file["path"]: file["size"] for file in kept}


def write(root: Path, **contents: str) -> None:
    for name, content in contents.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_what_lies_there_at_the_end_is_stored_once_by_its_digest(folder):
    files = RunFiles(folder)
    write(files.scratch, a="same", plots__epoch__1="same", plots__2="other", empty="")
    (files.scratch / "nothing" / "here").mkdir(parents=True)
    kept, left_out = files.keep()
    assert left_out == []
    assert [(file["path"], file["size"]) for file in kept] == [
        ("a", 4), ("empty", 0), ("plots/2", 5), ("plots/epoch/1", 4)
    ]  # fmt: skip
    same = hashlib.sha256(b"same").hexdigest()
    assert [file["sha256"] for file in kept if file["size"] == 4] == [same, same]
    assert sum(name.startswith(STORED) for name in folder.names()) == 3
    assert read_stored(folder, STORED, kept[0]) == b"same"
    scratch = files.scratch
    files.remove_scratch()
    assert not scratch.exists()


def test_a_run_that_writes_nothing_makes_nothing(folder):
    files = RunFiles(folder)
    assert files.keep() == ([], [])
    files.remove_scratch()
    assert folder.names() == []


def test_a_stored_file_that_was_changed_is_none(folder):
    files = RunFiles(folder)
    write(files.scratch, a="1234")
    ((file,), _) = files.keep()
    folder.write(STORED + file["sha256"], b"4321")
    with pytest.raises(UnfitFileError, match="is damaged: it has another SHA-256"):
        read_stored(folder, STORED, file)
    folder.write(STORED + file["sha256"], b"12345")
    with pytest.raises(UnfitFileError, match="too large"):
        read_stored(folder, STORED, file)


def test_what_does_not_fit_is_said_and_the_rest_is_kept(folder):
    files = RunFiles(folder, limits=FileLimits(max_bytes=10, max_count=3))
    write(files.scratch, a="12345", b="123456", c="12345", d="", e="")
    kept, left_out = files.keep()
    assert [file["path"] for file in kept] == ["a", "c", "d"]
    assert left_out == [
        "b: it has 6 bytes, and files.max_bytes is 10 for all of a run",
        "e: files.max_count is 3",
    ]


def test_what_is_no_file_or_could_lead_elsewhere_is_said_and_never_followed(folder, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("secret")
    files = RunFiles(folder)
    root = files.scratch
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path / "secrets")
    (root / "nowhere").symlink_to("/no/such/file")
    os.mkfifo(root / "pipe")
    for name in (b"new\nline", b"\xff", b"\x1b[31m", b"back\\slash", "\u202egnp.exe".encode()):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_text("x")
    deep = root
    for _ in range(20):
        deep = deep / ("d" * 60)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    write(root, good="x", Good="X")
    kept, left_out = files.keep()
    assert [file["path"] for file in kept] == ["Good", "good"]
    assert {line for line in left_out if "ddd" not in line} == {
        "link: it is a symbolic link",
        "folder: it is a symbolic link",
        "nowhere: it is a symbolic link",
        "pipe: it is a named pipe, not a file",
        *(
            f"{name}: its name has characters that cannot be printed, or a backslash"
            for name in ("new\\nline", "\\udcff", "\\x1b[31m", "back\\slash", "\\u202egnp.exe")
        ),
    }
    (long,) = (line for line in left_out if "ddd" in line)
    assert long.endswith(": its path has more than 1,000 characters")
    assert len(long) < 300


@pytest.mark.parametrize("replaced", [True, False])
def test_a_folder_that_a_trainer_replaced_is_said(folder, tmp_path, replaced):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    files = RunFiles(folder)
    scratch = files.scratch
    shutil.rmtree(scratch)
    if replaced:
        scratch.symlink_to(tmp_path / "other")
    assert files.keep() == ([], ["job.files: it is no folder any more"])
    files.remove_scratch()
    assert (tmp_path / "other" / "file").exists()
    assert not os.path.lexists(scratch)


def test_very_many_sentences_are_cut(folder, monkeypatch):
    monkeypatch.setattr(own_files, "_MOST_LOOKED_AT", 30)
    files = RunFiles(folder, limits=FileLimits(max_count=0))
    write(files.scratch, **{f"f{number:03}": "" for number in range(40)})
    kept, left_out = files.keep()
    assert kept == []
    assert len(left_out) == 21
    assert left_out[0] == "...: more than 30 files were written"
    assert left_out[-1] == "and 11 more"


def test_a_file_that_grows_while_it_is_read_is_stored_as_it_was_read(folder, monkeypatch):
    files = RunFiles(folder, limits=FileLimits(max_bytes=8))
    write(files.scratch, a="1234")
    first = os.fstat

    def grow(descriptor):
        status = first(descriptor)
        with (files.scratch / "a").open("a") as file:
            file.write("56789")
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", grow)
        kept, left_out = files.keep()
    assert kept == []
    assert left_out == ["a: it has 9 bytes, and files.max_bytes is 8 for all of a run"]


def job_in(home: Folder, attempt: int) -> Job:
    folder = home.child(str(attempt))
    earlier = [home.child(str(number)) for number in range(attempt - 1, 0, -1)]
    return Job(CONFIG, {}, data_dir=None, folder=folder, earlier=earlier)


def test_a_checkpoint_brings_back_the_files_as_they_were_then(home):
    first = job_in(home, 1)
    for epoch in (1, 2, 3):
        write(first.files, **{f"epochs__{epoch}": f"figure {epoch}", "table": "x" * epoch})
        if epoch < 3:
            first.checkpoint(epoch, {"epoch": epoch})
    # Killed here: what was written after the checkpoint was perhaps half done.
    second = job_in(home, 2)
    assert second.resume().epoch == 2
    found = {
        str(path.relative_to(second.files)): path.read_text()
        for path in second.files.rglob("*")
        if path.is_file()
    }
    assert found == {"epochs/1": "figure 1", "epochs/2": "figure 2", "table": "xx"}
    # And once more, where that attempt has stored no checkpoint of its own, or one.
    assert job_in(home, 3).resume().epoch == 2
    second.checkpoint(3, {"epoch": 3})
    home.child("1").remove_all()
    third = job_in(home, 3)
    assert third.resume().epoch == 3
    assert (third.files / "table").read_text() == "xx"


def test_files_of_old_checkpoints_go_with_them(home):
    job = job_in(home, 1)
    for epoch in range(1, 6):
        write(job.files, table="x" * epoch, same="same")
        job.checkpoint(epoch, {})
    names = [name for name in home.child("1").names() if name.startswith("checkpoint-file-")]
    assert len(names) == 3  # `same`, and two versions of the table
    assert job_in(home, 2).resume().epoch == 5


@pytest.mark.parametrize("damage", [b"", None])
def test_a_checkpoint_whose_files_are_not_whole_is_passed_over(home, damage):
    first = job_in(home, 1)
    for epoch in (1, 2):
        write(first.files, **{f"f{epoch}": str(epoch)})
        first.checkpoint(epoch, {})
    name = f"checkpoint-file-{hashlib.sha256(b'2').hexdigest()}"
    if damage is None:
        home.child("1").remove(name)
    else:
        home.child("1").write(name, damage)
    second = job_in(home, 2)
    assert second.resume().epoch == 1
    assert os.listdir(second.files) == ["f1"]


def test_a_trainer_without_files_stores_none_with_its_checkpoints(home):
    job_in(home, 1).checkpoint(1, {})
    assert home.child("1").names() == ["checkpoint-1.pt", "checkpoint-1.pt.sha256"]
    assert job_in(home, 2).resume().epoch == 1


def test_what_did_not_fit_at_a_checkpoint_is_not_forgotten(home):
    folder = home.child("1")
    first = RunFiles(folder, limits=FileLimits(max_bytes=3))
    write(first.scratch, large="12345", late="12345")
    stored = first.store_with_checkpoint(1)
    second = RunFiles(home.child("2"), [folder], FileLimits(max_bytes=30))
    assert second.restore(stored)
    write(second.scratch, late="1")
    kept, left_out = second.keep()
    assert [file["path"] for file in kept] == ["late"]
    assert left_out == ["large: it has 5 bytes, and files.max_bytes is 3 for all of a run"]


@pytest.mark.parametrize("path", ["../up", "/tmp/x", "a\0b"])
def test_a_checkpoint_that_names_another_place_brings_nothing(folder, path):
    files = RunFiles(folder)
    write(files.scratch, a="1")
    stored = files.store_with_checkpoint(1)
    stored["kept"][0]["path"] = path
    assert not RunFiles(folder.child("2"), [folder]).restore(stored)


def test_what_a_fork_wrote_is_kept_and_stays_when_it_ends(folder):
    files = RunFiles(folder)
    child = os.fork()
    if child == 0:
        (files.scratch / "a").write_text("from a fork")
        files.remove_scratch()
        os._exit(0)
    os.waitpid(child, 0)
    (files.scratch / "b").write_text("from its parent")
    assert kept_of(files) == {"a": 11, "b": 15}
    files.remove_scratch()
    assert not files._scratch.exists()


def test_a_new_attempt_begins_with_nothing_of_a_process_that_was_killed(folder):
    killed = RunFiles(folder)
    (killed.scratch / "left").touch()
    new = RunFiles(folder)
    assert list(new.scratch.iterdir()) == []
    killed.remove_scratch()


names = st.binary(min_size=1, max_size=8).filter(
    lambda name: not {b"/", b"\0"} & {bytes([byte]) for byte in name} and name not in (b".", b"..")
)
trees = st.dictionaries(st.lists(names, min_size=1, max_size=3).map(tuple), st.binary(max_size=9))


@settings(max_examples=40, deadline=None)
@given(trees, st.integers(0, 40), st.integers(0, 6))
def test_whatever_is_written_is_kept_within_its_bounds_or_said(tree, most_bytes, most_count):
    with TemporaryDirectory() as top:
        folder = open_folder(Path(top) / "1")
        files = RunFiles(folder, limits=FileLimits(max_bytes=most_bytes, max_count=most_count))
        written: dict[str, bytes] = {}
        for parts, content in tree.items():
            path = Path(files.scratch, *map(os.fsdecode, parts))
            with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                written["/".join(map(os.fsdecode, parts))] = content
        kept, left_out = files.keep()
        assert sum(file["size"] for file in kept) <= most_bytes
        assert len(kept) <= most_count
        assert all(problem_of_path(file["path"]) is None for file in kept)
        assert {file["path"] for file in kept} <= written.keys()
        for file in kept:
            assert read_stored(folder, STORED, file) == written[file["path"]]
        # A folder whose name cannot be kept is one sentence, however much is in it.
        assert bool(left_out) == (len(kept) < len(written))
        stored = files.store_with_checkpoint(1)
        later = RunFiles(open_folder(Path(top) / "2"), [folder])
        assert later.restore(stored)
        for file in kept:
            assert (later.scratch / file["path"]).read_bytes() == written[file["path"]]
        files.remove_scratch()
        later.remove_scratch()
        assert not any("files" in names for _, names, _ in os.walk(top))
