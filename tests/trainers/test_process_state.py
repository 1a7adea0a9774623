"""What a run changes of its process is undone after it."""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from trainers.process_state import undone_afterwards


def test_folder_variables_umask_and_limits_are_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANGED", "before")
    monkeypatch.setenv("REMOVED", "before")
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0o027)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        with undone_afterwards():
            os.environ["CHANGED"] = os.environ["ADDED"] = "after"
            del os.environ["REMOVED"]
            os.chdir("/")
            os.umask(0)
            resource.setrlimit(resource.RLIMIT_NOFILE, (files[0] - 1, files[1]))
        assert (os.environ["CHANGED"], os.environ["REMOVED"]) == ("before", "before")
        assert "ADDED" not in os.environ
        assert Path.cwd() == tmp_path
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == files
    finally:
        assert os.umask(umask) == 0o027


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    with undone_afterwards():
        gone.rmdir()
        os.chdir("/")


def test_signals_are_as_before() -> None:
    handler, mask = signal.getsignal(signal.SIGUSR1), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with undone_afterwards():
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    assert signal.getsignal(signal.SIGUSR1) is handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


@pytest.mark.parametrize("may_set", [False, True])
def test_a_timer_ends_with_the_run_unless_the_process_has_set_it(may_set: bool) -> None:
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    running = signal.setitimer(signal.ITIMER_REAL, 0)  # pytest-timeout's
    try:
        with undone_afterwards(may_set_timer=lambda: may_set):
            signal.setitimer(signal.ITIMER_REAL, 50)
        assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) is may_set
    finally:
        signal.setitimer(signal.ITIMER_REAL, *running)
        signal.signal(signal.SIGALRM, before)


def test_what_was_removed_of_modules_and_paths_is_there_again() -> None:
    path, filters = list(sys.path), list(warnings.filters)
    with undone_afterwards():
        sys.modules.clear()
        assert importlib.import_module("json") is not json
        sys.path.clear()
        warnings.simplefilter("error", category=SyntaxWarning)
    assert sys.modules["os"] is os
    assert sys.modules["json"] is json
    assert set(sys.path) == set(path)
    assert list(warnings.filters) == filters


def test_functions_of_python_are_those_that_they_were() -> None:
    dumps, clock = json.dumps, time.time
    with undone_afterwards():
        json.dumps = time.time = None  # type: ignore[assignment]
        del json.loads
    assert (json.dumps, time.time) == (dumps, clock)
    assert json.loads("1") == 1


def test_settings_of_numpy_and_torch_are_as_before() -> None:
    import torch

    errors = np.geterr()
    with undone_afterwards():
        np.seterr(all="raise")
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_default_device("meta")
        torch.set_float32_matmul_precision("medium")
    assert np.geterr() == errors
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.zeros(1).device.type == "cpu"
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("raises", [False, True])
def test_a_fork_ends_with_the_block(raises: bool, tmp_path: Path) -> None:
    beyond = tmp_path / "beyond"
    child = 0
    with undone_afterwards():
        child = os.fork()
        if child == 0 and raises:
            raise RuntimeError("in the child")
    if child == 0:  # it never comes so far
        beyond.touch()
        os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == (1 if raises else 0)
    assert not beyond.exists()


def test_a_library_that_a_run_is_the_first_to_import_is_as_imported_afterwards() -> None:
    program = """
from trainers.process_state import undone_afterwards
with undone_afterwards():
    pass
with undone_afterwards():
    import torch
    torch.set_default_dtype(torch.float64)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.mkldnn.enabled = False
now = torch.backends
assert torch.get_default_dtype() == torch.float32
assert (now.cudnn.allow_tf32, now.cudnn.deterministic, now.mkldnn.enabled) == (True, False, True)
now.cudnn.allow_tf32 = False
with undone_afterwards():
    now.cudnn.allow_tf32 = True
assert now.cudnn.allow_tf32 is False
"""
    subprocess.run([sys.executable, "-c", program], check=True)
