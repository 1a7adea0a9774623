"""What a page shows of very many files, and which of them it takes for pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from results.html_report.content import Attempt
from sweeper.commands import bounded_reading, pictures
from sweeper.run_files.pictures import LARGEST_PICTURE, may_be_picture, media_type_of
from trainers.own.files import STORED

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0...", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x0a\n\0\0WEBPVP8 ", "image/webp"),
        (SVG, "image/svg+xml"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><!-- x --><svg/>", "image/svg+xml"),
        (b"<!DOCTYPE svg [<!ENTITY a 'aa'>]><svg>&a;</svg>", None),
        (b"<?xml version='1.0'?><html><script/></html>", None),
        (b"<html><svg></svg></html>", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"GIF", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_content(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type


def test_only_files_with_the_names_of_pictures_are_read() -> None:
    assert may_be_picture("plots/A.PNG", LARGEST_PICTURE)
    assert not may_be_picture("plots/a.png", LARGEST_PICTURE + 1)
    assert not may_be_picture("png", 1)
    assert not may_be_picture("a.html", 1)


def own_run(run_id: str, lr: int) -> dict[str, Any]:
    config = {"trainer": "fit:train", "options": {"lr": lr, "epochs": 3}, "seed": 0}
    return {"run_id": run_id, "model": None, "seed": 0, "config": config}


def test_a_page_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(SVG).hexdigest()
    run_ids = [f"{number:016x}" for number in range(3)]
    for run_id in run_ids:
        (tmp_path / run_id / "1").mkdir(parents=True)
        (tmp_path / run_id / "1" / f"{STORED}{digest}").write_bytes(SVG)
    attempts = [
        Attempt(run_id, 1, "done", 0.0, 1.0, storage=str(tmp_path), provenance={})
        for run_id in run_ids
    ]
    runs = [own_run(run_id, number) for number, run_id in enumerate(run_ids)]
    rows = [
        {"run_id": run_id, "path": f"{number}.svg", "size": len(SVG), "sha256": digest}
        for run_id in run_ids
        for number in range(4)
    ]
    for most, shown in (("MOST_PICTURES", 5), ("MOST_BYTES", 6)):
        with monkeypatch.context() as patch:
            patch.setattr(pictures, most, shown if most == "MOST_PICTURES" else shown * len(SVG))
            patch.setattr(pictures, "MOST_LISTED", 7)
            section = pictures.section_of_files(rows, 30, runs, attempts, str(tmp_path / "other"))
        assert section is not None
        assert [figure.content for figure in section.figures] == [SVG] * shown
        assert section.figures[4].caption == "0.svg: lr 1, seed 0"
        assert section.figures[4].run == run_ids[1]
        (sentence,) = section.text
        assert sentence.startswith(f"Pictures that are not shown: at least {12 - shown}. ")
        (table,) = section.tables
        assert (len(table.data), table.notes) == (7, ["and 23 more"])
    assert pictures.section_of_files([], 0, runs, attempts, str(tmp_path)) is None


def test_no_page_waits_for_a_storage_that_is_away(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(bounded_reading, "SECONDS", 0.0)
    monkeypatch.setattr(pictures, "_read", lambda *arguments: __import__("time").sleep(0.2))
    attempt = Attempt("0" * 16, 1, "done", 0.0, 1.0, storage=str(tmp_path), provenance={})
    row = {"run_id": "0" * 16, "path": "a.png", "size": 1, "sha256": "a" * 64}
    section = pictures.section_of_files([row], 1, [own_run("0" * 16, 1)], [attempt], str(tmp_path))
    assert section is not None
    assert list(section.figures) == []
    assert "Pictures that are not shown: 1." in section.text[0]
