"""`sweep tag` and `sweep note`, and where what they say is shown."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import sweep

SPEC = """\
name: labelled
model: {name: zerosnet, width: 3}
depth: 8
dataset: {name: digits, subset: 64}
training: {epochs: 1}
trainer: fake_trainers:quick
grid: {seed: [0, 1]}
"""


def test_tags_and_notes_on_the_command_line(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SPEC)

    def ask(*arguments: str, code: int = 0) -> tuple[str, str]:
        done = sweep(*arguments, "--home", "home")
        assert done.exit_code == code, done.stderr
        return done.stdout, done.stderr

    ask("run", "s.yaml", "--executor", "inline")
    first = json.loads(ask("report", "labelled", "--group-by", "run_id", "--format", "json")[0])
    run_id = first["groups"][0]["run_id"] if isinstance(first, dict) else first[0]["run_id"]
    assert ask("tag", "labelled", "base", "b:2")[1] == "labelled: b:2, base\n"
    assert ask("tag", run_id, "odd")[1] == f"{run_id}: odd\n"
    assert ask("tag", "labelled", "b:2", "--remove")[1] == "labelled: base\n"
    assert ask("note", run_id, "look \x1b[31mhere")[1] == f"noted on {run_id}\n"
    ask("note", "labelled", "all of it")
    said = ask("status")[1]
    assert "labelled has the tags base\nnote 1 on labelled: all of it\n" in said
    shown = ask("show", run_id)[0]
    assert "tags                 base, odd" in shown
    assert "  look \\x1b[31mhere" in shown
    groups = ask("report", "--group-by", "tag", "--format", "csv")[0]
    assert [line.split(",")[:2] for line in groups.splitlines()] == [
        ["tag", "runs"], ["base", "2"], ["odd", "1"]
    ]  # fmt: skip
    one = ask("report", "--group-by", "seed", "--where", "tag=odd", "--format", "csv")[0]
    assert len(one.splitlines()) == 2
    assert "is no tag" in ask("tag", "labelled", "two words", code=2)[1]
    assert "no sweep is called 'nobody'" in ask("note", "nobody", "x", code=2)[1]
    ask("note", "labelled", "second")
    listed = ask("note", "labelled")[0].splitlines()
    assert [line.split(": ", 1)[1] for line in listed] == ["all of it", "second"]
    assert [line.partition(", ")[0] for line in listed] == ["1", "2"]
    assert ask("note", "labelled", "--remove", "1")[1] == "note 1 on labelled is removed\n"
    assert "has no note 1" in ask("note", "labelled", "--remove", "1", code=2)[1]
    assert "not both" in ask("note", "labelled", "x", "--remove", "2", code=2)[1]
    assert ask("tag", "labelled")[0] == "labelled: base\n"
    assert "--remove takes tags" in ask("tag", "labelled", "--remove", code=2)[1]
    ask("report", "--html", "page.html")
    page = Path("page.html").read_text()
    assert "<h3>Notes on labelled</h3>" in page
    assert 'class="written">second</dd>' in page
    assert "base, odd" in page
