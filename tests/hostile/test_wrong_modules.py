"""Modules of trainers that do harm when they are imported: an error of the spec, or none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import sweeper.spec.own_trainers.describing_process
from command_line import sweep

pytestmark = pytest.mark.hostile

TRAIN = "\n\ndef train(job):\n    return {'score': 1.0}\n"

REFUSED = {
    "hangs": ("import time\ntime.sleep(600)", "importing it took over 6 s"),
    "never_ends": ("while True:\n    pass", "importing it took over 6 s"),
    "forks_and_dies": (
        "import os, time\nif os.fork() == 0:\n    time.sleep(20)\n    os._exit(0)\nos._exit(3)",
        "with exit code 3",
    ),
    "closes_descriptors": ("import os\nos.closerange(3, 4096)", "ended the process"),
    "writes_to_descriptors": (
        "import os\nfor number in range(3, 64):\n"
        "    try:\n        os.write(number, b'no json\\n')\n    except OSError:\n        pass",
        "writes to descriptors that others have opened",
    ),
    "says_too_much": (
        "import os\nfor number in range(3, 64):\n    try:\n"
        "        while True:\n            os.write(number, b'x' * 65536)\n"
        "    except OSError:\n        pass",
        "says more of itself than can be read",
    ),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "says_nothing": ("class E(Exception):\n    __str__ = None\nraise E", "E"),
    "says_ten_megabytes": ("raise ValueError('x ' * 5_000_000)", "ValueError"),
    "kills_its_group": ("import os\nos.killpg(0, 9)", "with signal 9"),
    "recurses": ("def f():\n    f()\nf()", "RecursionError"),
}

READ = {
    "prints": "print('x' * 50_000_000)",
    "closes_streams": "import os, sys\nsys.stdout.close()\nos.close(1)\nos.close(2)",
    "forks": "import os\nos.fork()",
    "changes_folder": "import os\nos.chdir('/')",
    "breaks_json": "import json\njson.dumps = json.loads = None",
    "ignores_signals": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "starts_a_thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(30,)).start()"
    ),
    "starts_a_child": "import subprocess\nsubprocess.Popen(['sleep', '20'])",
}


def planned(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr(sweeper.spec.own_trainers.describing_process, "SECONDS", 6.0)
    (folder / "mine.py").write_text(code + TRAIN)
    (folder / "s.yaml").write_text("name: s\ntrainer: mine:train\n")
    monkeypatch.chdir(folder)
    started = time.monotonic()
    said = sweep("plan", "s.yaml", "--home", str(folder / "home"))
    assert time.monotonic() - started < 60
    return said.exit_code, said.stderr


@pytest.mark.parametrize("kind", REFUSED)
def test_a_module_that_cannot_be_imported_is_an_error_of_the_spec(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, sentence = REFUSED[kind]
    exit_code, said = planned(tmp_path, code, monkeypatch)
    assert exit_code == 2, said
    assert sentence in said
    assert said.startswith("error: s.yaml:2:1: ")
    assert "Traceback" not in said
    assert len(said) < 3_000


@pytest.mark.parametrize("kind", READ)
def test_a_module_that_does_odd_things_is_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exit_code, said = planned(tmp_path, READ[kind], monkeypatch)
    assert exit_code == 0, said
