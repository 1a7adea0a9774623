"""Files that trainers leave in job.files, as docs/files.md shows them, and through the commands."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import sys
from contextlib import chdir
from pathlib import Path

import pytest

import sweeper
from command_line import sweep
from results.queries.queries import Queries
from sweeper.errors import RequestError, ResourceError
from sweeper.home import Home
from sweeper.run_files.fetching import fetch
from sweeper.run_files.listing import list_files

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S))

SEVERAL = """
import os
from pathlib import Path

SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
GROWING = "<!DOCTYPE svg [<!ENTITY a 'aa'>]><svg>&a;</svg>"


def train(job):
    files = job.files
    files.joinpath("picture.svg").write_text(SVG)
    files.joinpath("growing.svg").write_text(GROWING)
    files.joinpath("text.png").write_text("no picture")
    files.joinpath("<b>name.txt").write_text("1")
    files.joinpath("large").write_bytes(bytes(job.options["large"]))
    files.joinpath("link").symlink_to("/etc/passwd")
    job.report(1, f1=0.5)
    if job.options["fails"]:
        raise ValueError("after its files")
"""

SPEC = """
trainer: several:train
files: {max_bytes: 1kB}
options: {large: 2000, fails: false}
include: [{seed: 0}, {seed: 1, options.fails: true}]
"""


LOOKED_AT = """
import json
from pathlib import Path

from sweeper.errors import ResourceError
from sweeper.home import Home
from sweeper.run_files.fetching import fetch
from sweeper.run_files.listing import list_files


def train(job):
    job.files.joinpath("a").mkdir()
    job.files.joinpath("a", "b.txt").write_text("so far")
    job.files.joinpath("c").write_text("1")
    job.files.joinpath("link").symlink_to("/etc/passwd")
    home, out = Home.at(Path("home")), Path("looked")
    found = list_files(home, job.run_id)
    fetched = fetch(list_files(home, job.run_id, ["a"]), home, out, print)
    again = fetch(found, home, out, print)
    job.files.joinpath("c").unlink()
    try:
        fetch(found, home, out, print)
    except ResourceError as error:
        said = str(error)
    rows = [found.state, found.files, fetched.written, again.written, again.same, said]
    out.with_suffix(".json").write_text(json.dumps(rows))
    return {"f1": 1}
"""


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: dict[str, str] = {}
        self.said = ""

    def ask(self, *arguments: str, code: int = 0, home: str = "home"):
        done = sweep(*arguments, "--home", str(self.folder / home), folder=self.folder)
        assert done.exit_code == code, done.stderr + done.stdout
        return done

    def json(self, *arguments: str, home: str = "home"):
        return json.loads(self.ask(*arguments, "--format", "json", home=home).stdout)

    def run(self, spec: str, code: int = 0, **options: str) -> list[str]:
        more = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.said = self.ask("run", spec, "--executor", "inline", *more, code=code).stderr
        with Queries.open(f"sqlite:///{self.folder}/home/sweep.db") as queries:
            return [row["run_id"] for row in queries.run_rows([Path(spec).stem])]

    def blob(self, file: dict, run_id: str) -> Path:
        return self.folder / "home" / "runs" / run_id / "1" / f"file-{file['sha256']}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A home with the run of the documentation, and two that write what cannot be kept."""
    made = Lab(tmp_path_factory.mktemp("files"))
    (made.folder / "fit.py").write_text(BLOCKS["python"])
    (made.folder / "fit.yaml").write_text(BLOCKS["yaml"])
    (made.folder / "several.py").write_text(SEVERAL)
    (made.folder / "several.yaml").write_text(SPEC)
    path = list(sys.path)
    (made.ids["documented"],) = made.run("fit.yaml")
    made.ids["done"], made.ids["failed"] = made.run("several.yaml", code=1)
    yield made
    sys.path[:] = path
    for name in ("fit", "several"):
        sys.modules.pop(name, None)


def test_the_documented_commands_list_fetch_and_show_files(lab):
    run_id = lab.ids["documented"]
    files = lab.json("files", run_id[:6])
    assert [file["path"] for file in files] == ["fit.png", "tables/residuals.csv"]
    for line in BLOCKS["sh"].splitlines()[1:]:
        lab.ask(*line.replace("'", "").replace("RUN", run_id).split()[1:])
    for file in files:
        content = (lab.folder / "here" / file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            file["size"],
            file["sha256"],
        )
        assert content == lab.blob(file, run_id).read_bytes()
    picture = base64.b64encode((lab.folder / "here" / "fit.png").read_bytes()).decode()
    page = (lab.folder / "page.html").read_text()
    assert f', run {run_id}" src="data:image/png;base64,{picture}"' in page
    assert "tables/residuals.csv" in page
    detail = lab.json("show", run_id)
    assert detail["files"] == files
    shown = lab.ask("show", run_id).stdout
    assert re.search(rf"^  tables/residuals.csv +[\d,]+ bytes +{files[1]['sha256']}$", shown, re.M)
    left = sorted(path.name for path in (lab.folder / "home" / "runs" / run_id / "1").iterdir())
    assert left == sorted([f"file-{file['sha256']}" for file in files] + ["result.json"])


def test_what_is_not_kept_is_said_everywhere(lab):
    run_id = lab.ids["done"]
    large = "large: it has 2,000 bytes, and files.max_bytes is 1,000 for all of a run"
    assert re.search(rf"not kept of .*several:train.*: {large}", lab.said)
    assert f"1 run did not keep all of job.files: `sweep files {run_id} --home " in lab.said
    said = lab.ask("files", run_id)
    assert said.stderr.splitlines() == [
        f"not kept: {large}",
        "not kept: link: it is a symbolic link",
    ]
    assert "large" not in said.stdout
    assert f"\n  not kept: {large}\n" in lab.ask("show", run_id).stdout
    lab.ask("report", "several", "--html", "several.html")
    page = (lab.folder / "several.html").read_text()
    assert f"Not kept of run {run_id}: {large}; link: it is a symbolic link." in page


def test_of_pictures_those_are_shown_that_are_safe(lab):
    lab.ask("report", "several", "--html", "several.html")
    page = (lab.folder / "several.html").read_text()
    run_id = lab.ids["done"]
    caption = "picture.svg: fails false, seed 0"
    assert f'alt="{caption}, run {run_id}" src="data:image/svg+xml;base64,' in page
    link = f'<a href="#run-{run_id}"><code>{run_id}</code></a>'
    assert f"{caption}, run {link}</figcaption>" in page
    table = page[page.index("<caption>Files that runs keep") :].partition("</table>")[0]
    assert f'<a href="#run-{run_id}">{run_id}</a>' in table
    assert "<td>fails false, seed 0</td>" in table
    assert "<script" not in page
    assert "<b>name" not in page
    assert "growing.svg: " not in page
    assert "text.png: " not in page
    assert "Pictures that are not shown: 2. `sweep files RUN` lists all files." in page


def test_a_failed_run_keeps_no_files_and_says_so(lab):
    run_id = lab.ids["failed"]
    said = lab.ask("files", run_id)
    assert said.stderr == (
        f"run {run_id} keeps no files; it is failed, and files are kept of a done run\n"
    )
    assert said.stdout == ""
    assert lab.ask("files", run_id, "--format", "json").stdout == "[]\n"
    folder = lab.folder / "home" / "runs" / run_id / "1"
    assert not folder.exists() or not list(folder.glob("file*"))


def test_a_pattern_that_no_file_has_is_an_error(lab):
    said = lab.ask("files", lab.ids["documented"], "fti.png", code=2).stderr
    assert "keeps no file 'fti.png'; did you mean 'fit.png'?" in said
    said = lab.ask("files", lab.ids["documented"], "--output", "x", "--format", "json", code=2)
    assert "--format is for the list" in said.stderr
    assert not (lab.folder / "x").exists()


def test_nothing_of_the_users_is_replaced_or_left(lab, tmp_path):
    run_id, output = lab.ids["documented"], tmp_path / "out"
    output.mkdir()
    fetch = ("files", run_id, "--output", str(output))
    (output / "fit.png").write_text("mine")
    said = lab.ask(*fetch, code=2).stderr
    assert f"{output} has something else in the place of fit.png: " in said
    assert [path.name for path in output.iterdir()] == ["fit.png"]
    assert (output / "fit.png").read_text() == "mine"
    (output / "fit.png").unlink()
    # Neither is a link written through, nor one that leads out of the folder.
    (output / "fit.png").symlink_to(tmp_path / "elsewhere")
    assert "something else" in lab.ask(*fetch, code=2).stderr
    (output / "fit.png").unlink()
    (tmp_path / "outside").mkdir()
    (output / "tables").symlink_to(tmp_path / "outside")
    assert "in the place of tables/residuals.csv: " in lab.ask(*fetch, code=2).stderr
    assert list((tmp_path / "outside").iterdir()) == []
    (output / "tables").unlink()
    assert lab.ask(*fetch).stderr == f"{output}: files written: 2\n"
    assert lab.ask(*fetch).stderr == f"{output}: files written: 0; there already: 2\n"


def test_a_damaged_or_missing_file_is_said_and_the_others_are_written(lab, tmp_path):
    run_id, output = lab.ids["documented"], tmp_path / "out"
    first, second = lab.json("files", run_id)
    blob = lab.blob(first, run_id)
    whole = blob.read_bytes()
    told_after: list[str] = []
    try:
        blob.write_bytes(whole[::-1])
        said = lab.ask("files", run_id, "--output", str(output), code=3).stderr
        assert f"fit.png cannot be read: {blob} is damaged: it has another SHA-256" in said
        assert f"error: 1 of 2 files could not be written to {output}; written: 1; it " in said
        assert not (output / first["path"]).exists()
        assert (output / second["path"]).is_file()
        page = lab.folder / "damaged.html"
        lab.ask("report", "fit", "--html", str(page))
        assert "Pictures that are not shown: 1." in page.read_text()
        blob.unlink()
        said = lab.ask("files", run_id, "--output", str(output), code=3).stderr
        assert f"fit.png cannot be read: it is not in {blob.parent}\n" in said
        # What is made in the meantime is not replaced.
        kept = list_files(Home.at(lab.folder / "home"), run_id)

        def make(sentence: str) -> None:
            (tmp_path / "late" / second["path"]).parent.mkdir(parents=True)
            (tmp_path / "late" / second["path"]).write_text(sentence)

        told = iter([make, told_after.append])
        with pytest.raises(ResourceError, match="2 of 2 files could not be written"):
            fetch(kept, Home.at(lab.folder / "home"), tmp_path / "late", lambda s: next(told)(s))
        assert told_after == [f"{second['path']} is not written: something is in its place by now"]
        assert "cannot be read" in (tmp_path / "late" / second["path"]).read_text()
    finally:
        blob.write_bytes(whole)


def test_files_are_known_to_an_archive_and_fetched_where_their_folders_lie(lab, tmp_path):
    run_id = lab.ids["documented"]
    lab.ask("export", "--output", str(tmp_path / "archive.db"))
    lab.ask("import", str(tmp_path / "archive.db"), home="other")
    assert lab.json("files", run_id, home="other") == lab.json("files", run_id)
    came = "the run came with archive.db, and its files stayed where it trained"
    assert lab.ask("files", run_id, home="other").stderr == f"this list came alone: {came}\n"
    fetch = ("files", run_id, "--output", str(tmp_path / "out"))
    said = lab.ask(*fetch, code=3, home="other").stderr
    assert f"; {came}\n" in said
    there = lab.folder / "home" / "runs"
    listed = lab.ask("files", run_id, "--storage", str(there), home="other")
    assert listed.stderr == ""
    said = lab.ask(*fetch, "--storage", str(there), home="other").stderr
    assert said == f"{tmp_path}/out: files written: 2\n"


def test_a_lost_database_knows_the_files_again(lab, tmp_path):
    home = tmp_path / "copy"
    shutil.copytree(lab.folder / "home", home)
    for path in (*home.glob("sweep.db*"), home / "runs" / "specs" / "several.json"):
        path.unlink(missing_ok=True)
    done = sweep("db", "rebuild", "--home", str(home), folder=lab.folder)
    assert done.exit_code == 0, done.stderr
    listed = sweep("files", lab.ids["documented"], "--home", str(home), "--format", "json")
    assert json.loads(listed.stdout) == lab.json("files", lab.ids["documented"])


def test_files_of_a_remote_storage_are_fetched_from_there(lab, tmp_path):
    storage = f"memory://{tmp_path.name}/runs"
    (lab.folder / "remote.yaml").write_text("trainer: fit:train\noptions: {degree: 1}\n")
    (run_id,) = lab.run("remote.yaml", storage=storage)
    said = lab.ask("files", run_id, "--output", str(tmp_path / "out")).stderr
    assert said == f"{tmp_path}/out: files written: 2\n"
    assert not (lab.folder / "home" / "runs" / run_id).exists()


def test_du_counts_files_and_gc_keeps_them(lab):
    lab.ask("gc", "--yes")
    rows = {row["sweep"]: row for row in lab.json("du")}
    size = sum(file["size"] for file in lab.json("files", lab.ids["documented"]))
    assert rows["fit"]["files"] == size


def test_from_python_files_are_a_frame_and_are_fetched(lab, tmp_path):
    with chdir(lab.folder):
        found = sweeper.Sweep.stored("several", home="home", progress=False)
        frame = found.files("seed=0")
        assert set(frame["run_id"]) == {lab.ids["done"]}
        assert frame["path"].tolist() == [
            file["path"] for file in lab.json("files", lab.ids["done"])
        ]
        found.fetch_files(lab.ids["done"], tmp_path, ["*.svg"])
        assert sorted(path.name for path in tmp_path.iterdir()) == ["growing.svg", "picture.svg"]
        (tmp_path / "growing.svg").write_text("mine")
        with pytest.raises(RequestError, match=r"something else in the place of growing\.svg"):
            found.fetch_files(lab.ids["done"], tmp_path)


def test_files_of_a_running_run_are_seen_as_they_are(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    (tmp_path / "looked_at.py").write_text(LOOKED_AT)
    (tmp_path / "looked.yaml").write_text("trainer: looked_at:train\n")
    (run_id,) = lab.run("looked.yaml")
    state, files, written, more, same, said = json.loads((tmp_path / "looked.json").read_text())
    assert state == "running"
    assert files == [
        {"path": "a/b.txt", "size": 6, "sha256": None},
        {"path": "c", "size": 1, "sha256": None},
    ]
    assert (written, more, same) == (1, 1, 1)
    assert said == f"1 of 2 files could not be written to {tmp_path}/looked; written: 0"
    assert (tmp_path / "looked" / "a" / "b.txt").read_text() == "so far"
    assert [file["path"] for file in lab.json("files", run_id)] == ["a/b.txt"]
