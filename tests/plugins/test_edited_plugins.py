"""Plug-ins that are edited between two commands: which runs are other runs, and which are not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from extending import EXAMPLES, write_installed

pytestmark = pytest.mark.slow

SPEC = """name: s
model: {name: plain, width: 4, depth: 3}
dataset: {name: digits, subset: 100}
training: {epochs: 1, batch_size: 50}
probes: [weight_norms]
evaluations:
  - {noise: salt_and_pepper, fraction: 0.1}
  - {noise: salt_and_pepper, fraction: 0.2}
  - {noise: gaussian, std: 0.1}
grid: {seed: [0, 1]}
"""


class Laboratory:
    """A folder with a spec, and the package of all examples, which may be edited."""

    def __init__(self, folder: Path) -> None:
        self.site, self.folder = folder / "site", folder / "lab"
        write_installed(self.site)
        self.folder.mkdir()
        (self.folder / "s.yaml").write_text(SPEC)
        paths = [
            str(self.site),
            os.environ["PYTHONPATH"],
            str(Path(__file__).parents[1] / "support"),
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sweeps_between_edits"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            # What was compiled in the same second would be taken for what was edited.
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )

    def sweep(self, home: str, *arguments: str, before: bool = False) -> tuple[str, str]:
        """What a command says on stdout and stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"arguments": [*arguments, "--home", home], "before": before}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code, stdout, stderr = json.loads(self._process.stdout.readline())
        assert code == 0, stderr
        return stdout, stderr

    def run(self, home: str, *arguments: str, before: bool = False) -> str:
        command = ("run", "s.yaml", "--executor", "inline", *arguments)
        return self.sweep(home, *command, before=before)[1]

    def plan(self, home: str, *arguments: str) -> tuple[dict[str, str], str]:
        """The states of the runs by id, and what is said about them."""
        stdout, said = self.sweep(home, "plan", "s.yaml", "--format", "json", *arguments)
        return {row["run_id"]: row["state"] for row in json.loads(stdout)}, said

    def show(self, home: str, *arguments: str) -> Any:
        return json.loads(self.sweep(home, "show", *arguments, "--format", "json")[0])

    def edit(self, name: str) -> None:
        with (self.site / "sweep_example" / name).open("a") as file:
            file.write("# edited\n")

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    lab = Laboratory(tmp_path_factory.mktemp("edited"))
    yield lab
    lab.close()


def without_digests(text: str) -> str:
    return re.sub(r"\b[0-9a-f]{12}\b", "DIGEST", text)


@pytest.mark.long
def test_runs_of_an_edited_model_are_other_runs(lab: Laboratory) -> None:
    lab.run("a")
    first, said = lab.plan("a")
    assert set(first.values()) == {"done"}
    assert said == "2 runs, 2 done, 0 failed; 0 to train\n"
    run = next(iter(first))
    plugins = lab.show("a", run)["config"]["plugins"]
    assert plugins.keys() == {"model plain", "probe weight_norms"}

    lab.edit("slowest.py")  # something else in the package
    assert lab.plan("a")[0] == first

    lab.edit("plain.py")
    edited, said = lab.plan("a")
    assert set(edited.values()) == {"new"}
    shown = EXAMPLES["Code is part of what decides a result"].block("")
    assert without_digests(said.splitlines()[0]) == without_digests(shown.strip())

    # A third run belongs to the sweep under the earlier code, and says by which it trained.
    more = ("--same-code", "--set", "seed=[0, 1, 2]")
    said = lab.run("a", *more)
    assert "--same-code: results of 2 runs accepted that model plain made under other" in said
    assert "(1 trained now)" in said
    accepted, _ = lab.plan("a", *more)
    assert first.items() < accepted.items()
    (third,) = accepted.keys() - first.keys()
    detail = lab.show("a", third)
    assert detail["config"]["plugins"] == plugins
    provenance = detail["attempt_history"][-1]["provenance"]
    (real,) = provenance["accepted_code"].values()
    assert provenance["accepted_code"].keys() == {"model plain"}
    assert provenance["sources"][real].keys() == {"plain.py"}

    said = lab.run("a")
    assert "was edited (plain.py): 2 runs done" in said
    assert "(2 trained now)" in said
    now, said = lab.plan("a")
    assert now == dict.fromkeys(edited, "done")
    assert "edited" not in said
    differing = lab.show("a", run, "--diff", next(iter(now)))
    assert differing["config"] == []
    assert [row["key"] for row in differing["code"]] == ["model plain", "plain.py"]


def test_an_edited_evaluation_is_another_one_of_the_same_runs(lab: Laboratory) -> None:
    lab.run("b")
    runs, _ = lab.plan("b")
    lab.edit("salt_and_pepper.py")
    again, said = lab.plan("b")
    assert again == runs
    assert re.search(
        r"^the code of evaluation salt_and_pepper was edited \(salt_and_pepper.py\): 4 measurements"
        r" by the earlier code \(\w{12}, now \w{12}\) stay, and are made again by this one;",
        said,
        re.M,
    )
    said = lab.run("b", "--same-code")
    assert "--same-code: 4 measurements accepted that evaluation salt_and_pepper made" in said
    assert "nothing to train" in said
    assert "2 evaluated from stored weights" in lab.run("b")
    assert "edited" not in lab.plan("b")[1]
    names = {e["name"] for e in lab.show("b", next(iter(runs)))["evaluations"]}
    assert {"gaussian[0.1]"} < names
    assert len([name for name in names if name.startswith("salt_and_pepper[0.1]@")]) == 2


def test_results_without_the_code_of_plugins_count_as_done_by_an_earlier_one(
    lab: Laboratory,
) -> None:
    lab.run("c", before=True)
    runs, said = lab.plan("c")
    assert set(runs.values()) == {"new"}
    assert re.match(
        r"the code of model plain and probe weight_norms was edited: 2 runs done under the earlier"
        r" code \(unknown, now \w{12}; unknown, now \w{12}\) are other runs now",
        said,
    )
    said = lab.run("c", "--same-code")
    assert "--same-code: results of 2 runs accepted" in said
    assert "--same-code: 4 measurements accepted that evaluation salt_and_pepper made" in said
    assert "nothing to train" in said
