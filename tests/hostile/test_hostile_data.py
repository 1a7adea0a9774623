"""2,000 results and names that are against whoever reads them.

Whatever they are: an exit code that says what happened, no traceback, no character that steers a
terminal or that nobody sees, and nothing lost: each run is done with what was measured, or failed
with a sentence, and the next run goes on.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import shutil
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import hostile_values
from command_line import sweep
from results.queries.queries import Queries
from results.store.store import Store
from sweeper.home import Home

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(280)]

SPEC = """
name: {name}
model: zerosnet
dataset: digits
depth: 8
trainer: {trainer}
training: {{epochs: 2}}
grid: {{seed: {seeds}}}
evaluations:
  - {{noise: gaussian, std: 0.1}}
"""

HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def hidden(text: str) -> list[str]:
    """What a terminal obeys, or nobody sees."""
    found = {c for c in set(text) if unicodedata.category(c) in HIDDEN}
    return sorted(map(ascii, found - {"\n", "\t"}))


def said(*arguments: str, code: tuple[int, ...] = (0,), exact: bool = False, **more: Any) -> str:
    """What a command writes to stdout; a defect of the program is raised.

    Args:
        code: exit codes that it may have.
        exact: it writes exact values, for programs.
    """
    done = sweep(*arguments, **more)
    assert done.exit_code in code, (arguments, done.exit_code, done.stderr[-2_000:])
    assert "Traceback" not in done.stderr
    assert hidden(done.stderr) == [], arguments
    assert exact or hidden(done.stdout) == [], arguments
    assert len(done.stderr) < 500_000
    return done.stdout


def spec_file(folder: Path, seeds: range, name: str = "s", trainer: str = "quick") -> Path:
    module = "hostile_trainer" if trainer == "hostile" else "fake_trainers"
    path = folder / f"{name}.yaml"
    path.write_text(SPEC.format(name=name, trainer=f"{module}:{trainer}", seeds=list(seeds)))
    return path


def states(home: Path) -> dict[str, str]:
    with Queries.open(Home.at(home).database) as queries:
        return {row["run_id"]: row["state"] for row in queries.run_rows()}


def read_all(home: Path, sweep_name: str) -> None:
    """Every way to read the sweep."""
    where = ("--home", str(home))
    said("status", sweep_name, *where)
    for command in (
        ("status", sweep_name),
        ("report", sweep_name, "--group-by", "seed"),
        ("report", sweep_name),
    ):
        assert json.loads(said(*command, "--format", "json", *where))
        assert list(csv.reader(io.StringIO(said(*command, "--format", "csv", *where, exact=True))))
    said("report", sweep_name, "--format", "markdown", *where)
    archive = home / "archive.db"
    said("export", sweep_name, "--output", str(archive), *where)
    said("import", str(archive), "--home", str(home / "another"))
    assert states(home / "another").items() <= states(home).items()
    page = home / "page.html"
    said("report", sweep_name, "--html", str(page), *where)
    assert hidden(page.read_text()) == []


@pytest.mark.parametrize("first", [0, 300, 600])
def test_hostile_trainers_fail_their_own_runs(tmp_path: Path, first: int) -> None:
    seeds = range(first, first + 300)
    spec, home = spec_file(tmp_path, seeds, trainer="hostile"), tmp_path / "home"
    run = ("run", str(spec), "--executor", "inline", "--home", str(home))
    said(*run, code=(1,))
    found = states(home)
    assert len(found) == 300
    assert set(found.values()) == {"done", "failed"}
    done = [run_id for run_id, state in found.items() if state == "done"]
    assert len(done) >= 75  # those with right results and hostile names, and some others
    with Queries.open(Home.at(home).database) as queries:
        for run_id, state in found.items():
            detail = queries.run_detail(run_id)
            if state == "failed":
                assert 0 < len(detail["error"]) <= 2_200
                assert detail["attempt_history"][-1]["fault"] == "trainer_error"
            else:
                assert detail["diverged"] is not None
    for number, run_id in enumerate(found):
        if number % 6 == 0:
            said("show", run_id, "--home", str(home))
        elif number % 6 == 1:
            detail = json.loads(said("show", run_id, "--format", "json", "--home", str(home)))
            assert detail["state"] == found[run_id]
    read_all(home, "s")
    said(*run, code=(1,))
    assert states(home) == found


def hostile_file(rng: random.Random, run_id: str, whole: dict[str, Any]) -> bytes:
    """A result.json that is whole by its digest, or nearly."""
    kind = rng.randrange(6)
    rest = json.dumps({**whole, "run_id": run_id}, indent=1)[2:].encode()
    if kind == 0:
        rest = rng.randbytes(rng.randrange(400))
    elif kind == 1:
        rest = rest[: rng.randrange(len(rest))]
    elif kind == 2:
        changed = bytearray(rest)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        rest = bytes(changed)
    elif kind == 3:
        numbers = (b"9" * 5_000, b"1" + b"0" * 400, b"-1e999", b"NaN", b"[" * 50_000, b'"\\ud800"')
        rest = rest.replace(b"0.001", rng.choice(numbers)).replace(b"1000.0", rng.choice(numbers))
    else:
        with suppress(TypeError, ValueError, RecursionError):
            rest = json.dumps(hostile_values.mutated(rng, whole), indent=1)[2:].encode()
    digest = hashlib.sha256(rest if rng.random() < 0.95 else b"another").hexdigest()
    return f'{{\n "sha256": "{digest}",\n'.encode() + rest


def test_hostile_result_files_fail_their_own_runs_at_the_next_start(tmp_path: Path) -> None:
    seeds = range(500)
    home = tmp_path / "home"
    one = spec_file(tmp_path, range(1), "one")
    said("run", str(one), "--executor", "inline", "--home", str(home))
    (stored,) = (home / "runs").glob("*/1/result.json")
    whole = json.loads(stored.read_bytes())
    del whole["sha256"]

    spec = spec_file(tmp_path, seeds, trainer="odd_seeds_raise")
    run = ("run", str(spec), "--executor", "inline", "--home", str(home))
    said("run", str(spec), "--set", "grid.seed=[]", "--home", str(home), code=(2,))
    with Store.open(Home.at(home).database) as store:
        from sweeper.planning.plan import new_evaluation, new_runs
        from sweeper.spec.spec import load_spec

        loaded = load_spec(spec, [])
        evaluations = [new_evaluation(evaluation) for evaluation in loaded.evaluations]
        store.save_sweep(
            "s", loaded.text, loaded.source, [], None, new_runs(loaded.configs), evaluations
        )
        ids = [config.run_id for config in loaded.configs]
        attempts = store.claim_all(ids, provenance={})
    for number, (run_id, attempt) in enumerate(attempts.items()):
        folder = home / "runs" / run_id / str(attempt)
        folder.mkdir(parents=True, exist_ok=True)
        content = hostile_file(random.Random(number), run_id, whole)
        (folder / "result.json").write_bytes(content)
    said(*run, code=(1,))
    found = states(home)
    assert len(found) == 501
    assert set(found.values()) == {"done", "failed"}
    assert list(found.values()).count("failed") > 250
    read_all(home, "s")
    said(*run, code=(1,))
    assert states(home) == found


def test_hostile_names_are_shown_as_such_by_every_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    spec = spec_file(tmp_path, range(3))
    where = ("--home", str(home))
    said("run", str(spec), "--executor", "inline", *where)
    before = said("report", "s", "--format", "json", *where)
    rng = random.Random(4)
    for number in range(90):
        name = hostile_values.text(rng)
        typed = name.replace("\0", "")
        file = _made(tmp_path / "files", typed, number)
        wrong = (0, 1, 2, 3)
        said("plan", str(file), *where, code=(0, 2))
        said("report", typed, *where, code=wrong)
        said("show", typed, *where, code=wrong)
        said("report", "s", "--where", f"{typed}=1", *where, code=wrong)
        said("report", "s", "--group-by", typed, *where, code=wrong)
        said("plan", str(spec), "--set", f"name={typed}", *where, code=wrong)
        said("plan", str(spec), f"--{typed}", *where, code=wrong)
        if number % 3 == 0:
            said("status", typed, *where, code=wrong)
            said("report", "s", "--format", typed, *where, code=wrong)
            said("import", str(file), *where, code=wrong)
            said("plot", typed, *where, code=wrong)
    assert said("report", "s", "--format", "json", *where) == before


def _file_name(name: str, number: int) -> str:
    """As much of the name as a disk takes."""
    kept = name.replace("/", "_").replace("\0", "")
    errors = "surrogateescape" if "\ud800" not in kept else "ignore"
    return f"{number}{kept.encode(errors=errors)[:100].decode(errors='surrogateescape')}"


def _made(folder: Path, name: str, number: int) -> Path:
    """A file that is no spec."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{_file_name(name, number)}.yaml"
    path.write_bytes(b"name: " + name.encode(errors="ignore") + b"\n\x1b: [")
    return path


def test_hostile_file_names_among_images_are_shown_as_such(tmp_path: Path) -> None:
    rng = random.Random(5)
    home = tmp_path / "home"
    spec = spec_file(tmp_path, range(1))
    spec.write_text(
        spec.read_text()
        .replace("trainer: fake_trainers:quick\n", "")
        .replace("dataset: digits", "dataset: {name: image_folder, folder: p, size: 8, classes: 2}")
    )
    run = ("run", str(spec), "--executor", "inline", "--home", str(home))
    root = home / "data" / "p"
    for number in range(30):
        for part in range(2):
            place = root / _file_name(hostile_values.text(rng), part)
            place.mkdir(parents=True)
            (place / f"{_file_name(hostile_values.text(rng), number)}.png").write_bytes(b"no image")
        said(*run, code=(3,))
        assert set(states(home).values()) == {"queued"}
        shutil.rmtree(root)


def test_hostile_host_and_spec_names_are_stored_and_shown_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(6)
    home = tmp_path / "home"
    for number in range(10):
        host = hostile_values.text(rng).encode(errors="replace").decode()[:200]
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        spec = spec_file(
            tmp_path, range(2 * number, 2 * number + 2), f"s{number}", "odd_seeds_raise"
        )
        file = tmp_path / f"{_file_name(hostile_values.text(rng), number)}.yaml"
        spec.rename(file)
        said("run", str(file), "--executor", "inline", "--home", str(home), code=(1,))
        found = states(home)
        assert sorted(list(found.values())[-2:]) == ["done", "failed"]
        for run_id in list(found)[-2:]:
            said("show", run_id, "--home", str(home))
    read_all(home, "s1")
