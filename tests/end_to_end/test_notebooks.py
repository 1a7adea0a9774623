"""docs/python.md as a notebook, and a notebook's Interrupt, in kernels of Jupyter."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of Jupyter's own packages

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
SPEC = """
name: watched
model: preresnet
depth: 8
dataset: digits
trainer: fake_trainers:light
training: {epochs: 400}
seed: 0
"""


def cells() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("home", "runtime", "ipython"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("EPOCH_SECONDS", "0.05")
    return tmp_path / "home"


def executed(sources: list[str], folder: Path) -> list[Any]:
    """The cells of a notebook after it ran from top to bottom. Raises what a cell raises."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    return list(notebook.cells)


def output_of(cell: Any) -> str:
    texts = (o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs)
    return "".join(texts)


@pytest.mark.long
def test_the_page_about_python_is_a_notebook_that_runs(folder: Path) -> None:
    torch_as_it_was = "import torch; print(torch.get_deterministic_debug_mode())"
    ran = executed([*cells(), torch_as_it_was], folder)
    plan, error, status, report, runs, evaluations, epochs, written, own, mode = map(output_of, ran)
    assert plan.count("new") == 4
    assert "unknown key 'epoch' in training; did you mean 'epochs'?" in error
    assert "first: 4 of 4 runs done (4 trained now)" in status
    assert "test_accuracy_mean" in report
    assert "gaussian[0.1]_mean" in report
    assert len(runs.strip().splitlines()) == 3
    assert "seed" in evaluations
    assert "train_loss" in epochs
    assert "Writing my_trainer.py" in written
    assert own.count("done") == 2
    assert mode.strip() == "0"


@pytest.mark.ray
@pytest.mark.long
def test_a_notebook_runs_a_sweep_on_ray(folder: Path) -> None:
    (folder / "s.yaml").write_text(SPEC.replace("400", "2"))
    (cell,) = executed(["import sweeper; sweeper.run('s.yaml', slots=1).status()"], folder)
    assert "watched: 1 of 1 runs done (1 trained now)" in output_of(cell)


def test_interrupt_stops_a_sweep_in_order_and_the_notebook_goes_on(folder: Path) -> None:
    from jupyter_client.manager import start_new_kernel

    (folder / "s.yaml").write_text(SPEC)
    manager, client = start_new_kernel(cwd=str(folder))
    try:
        cell = "import sweeper; sweeper.run('s.yaml', executor='inline')"
        asked = client.execute(cell)
        said = ""
        while "1 running" not in said:
            message = client.get_iopub_msg(timeout=120)
            if message["msg_type"] == "stream":
                said += message["content"]["text"]
            assert message["msg_type"] != "error", message["content"]
        time.sleep(0.2)  # into the training
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=60)
        while reply["parent_header"]["msg_id"] != asked:  # of what the client asked at the start
            reply = client.get_shell_msg(timeout=60)
        assert reply["content"]["ename"] == "Interrupted"
        assert "sweep resume watched" in reply["content"]["evalue"]
        after = "sweeper.Sweep.stored('watched').status()['queued'].item()"
        again = client.execute_interactive(after, timeout=60, output_hook=lambda message: None)
        assert again["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.long
def test_a_script_runs_sweeps_in_spawned_processes_and_needs_no_main_guard(folder: Path) -> None:
    (folder / "s.yaml").write_text(SPEC.replace("400", "1"))
    (folder / "work.py").write_text(
        "import sweeper\n"
        "def work(name):\n"
        "    done = sweeper.run('s.yaml', set={'name': name}, executor='inline', home=name)\n"
        "    print(name, done.status()['done'].item())\n"
    )
    (folder / "script.py").write_text(
        "import multiprocessing\nfrom work import work\nwork('first')\n"
        "if __name__ == '__main__':\n"
        "    process = multiprocessing.get_context('spawn').Process(target=work, args=['second'])\n"
        "    process.start()\n    process.join()\n    assert process.exitcode == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    # Spawning imports the script again, where the first sweep is done already.
    assert done.stdout == "first 1\nfirst 1\nsecond 1\n"
    assert done.stderr.count("first: 1 of 1 runs done (1 trained now)") == 1
