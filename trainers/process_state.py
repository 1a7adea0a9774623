"""What somebody's code changes of its process, undone after it: the next run has the process too.

What it puts into other packages' modules, such as another `torch.save`, stays: a package that it
imports may have good reasons for that.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from operator import attrgetter
from os import getpid
from typing import Any

_LIMITS = tuple(
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "STACK")
    if hasattr(resource, f"RLIMIT_{name}")
)

_OF_PYTHON = (
    "builtins", "hashlib", "io", "json", "json.decoder", "json.encoder", "os", "pickle",
    "posixpath", "shutil", "socket", "sqlite3", "sqlite3.dbapi2", "struct", "subprocess",
    "tempfile", "threading", "time",
)  # fmt: skip
"""Modules whose functions do the work around a run."""

_SIGNALS = tuple(
    number
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    if number < 32  # none that is for real-time programs
)


@contextmanager
def undone_afterwards(may_set_timer: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """The process is after the block as it was before: its folder, variables, signals and the like.

    A process that is forked in the block ends with it.

    Args:
        may_set_timer: whether the process itself may have set the timer of SIGALRM meanwhile.
    """
    process = getpid()
    with ExitStack() as undone:
        for part in (_folder, _variables, _signals, _limits, _interpreter, _libraries, _functions):
            undone.callback(_unless_it_fails, part())
        undone.callback(_unless_it_fails, _timer(may_set_timer))
        try:
            yield
        finally:
            if getpid() != process:
                _end_fork()


def _unless_it_fails(undo: Callable[[], object]) -> None:
    with suppress(Exception):  # such as a folder that is not there any more
        undo()


def _end_fork() -> None:
    """End this process, which began as a copy of the one that runs go on in."""
    error = sys.exc_info()[1]
    with suppress(BaseException):
        if error is not None:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0 if error is None else 1)


def _folder() -> Callable[[], object]:
    umask = os.umask(0o077)
    os.umask(umask)
    try:
        folder = os.getcwd()
    except OSError:
        return lambda: os.umask(umask)

    def undo() -> None:
        os.umask(umask)
        os.chdir(folder)

    return undo


def _variables() -> Callable[[], object]:
    before = dict(os.environb)

    def undo() -> None:
        now = dict(os.environb)
        for name in now.keys() - before.keys():
            del os.environb[name]
        os.environb.update(before.items() - now.items())

    return undo


def _signals() -> Callable[[], object]:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    # Only the main thread can set handlers, so another one has changed none.
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}

    def undo() -> None:
        for number, handler in handlers.items():
            # None is one of C code, which Python cannot set again.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return undo


def _timer(may_set_timer: Callable[[], bool]) -> Callable[[], object]:
    was_set = signal.getitimer(signal.ITIMER_REAL)[0] > 0

    def undo() -> None:
        if not was_set and not may_set_timer():
            signal.setitimer(signal.ITIMER_REAL, 0)

    return undo


def _limits() -> Callable[[], object]:
    before = {kind: resource.getrlimit(kind) for kind in _LIMITS}

    def undo() -> None:
        for kind, limit in before.items():
            if resource.getrlimit(kind) != limit:
                # What the process has taken from itself for good, it cannot have again.
                with suppress(ValueError, OSError):
                    resource.setrlimit(kind, (limit[0], resource.getrlimit(kind)[1]))

    return undo


_modules: dict[str, Any] = {}
"""Those of the last block; thousands, of which few runs change any."""


def _interpreter() -> Callable[[], object]:
    global _modules
    if _modules != sys.modules:
        _modules = dict(sys.modules)
    modules, path, filters = _modules, list(sys.path), list(warnings.filters)
    recursion = sys.getrecursionlimit()

    def undo() -> None:
        sys.setrecursionlimit(recursion)
        sys.modules.update(modules)  # it may have removed some, and imported these anew
        if sys.path != path:
            sys.path += [entry for entry in path if entry not in sys.path]
        if warnings.filters != filters:
            # A package that is imported meanwhile may well leave out warnings of its own.
            new = [found for found in warnings.filters if found not in filters]
            for found in (found for found in new if found[0] == "error"):
                warnings.filters.remove(found)  # type: ignore[attr-defined]

    return undo


def _functions() -> Callable[[], object]:
    modules = [sys.modules[name] for name in _OF_PYTHON if name in sys.modules]
    before = [(vars(module), dict(vars(module))) for module in modules]

    def undo() -> None:
        for now, then in before:
            for name, value in then.items() if now != then else ():
                if now.get(name) is not value and callable(value):
                    now[name] = value

    return undo


def _libraries() -> Callable[[], object]:
    """Settings of numpy and torch by which others' numbers would change."""
    _note_imports()
    before = {
        name: settings(sys.modules[name])
        for name, settings in _SETTINGS.items()
        if name in sys.modules
    }

    def undo() -> None:
        for name in _SETTINGS:
            # What the code itself was the first to import is as it was then.
            if as_before := before.get(name, _as_imported.get(name)):
                _unless_it_fails(as_before)

    return undo


_as_imported: dict[str, Callable[[], object]] = {}
"""What undoes all changes of a library since it was imported, by its name."""


@lru_cache(maxsize=1)
def _note_imports() -> None:
    from wrapt import register_post_import_hook

    def note(library: Any) -> None:
        _as_imported[library.__name__] = _SETTINGS[library.__name__](library)

    for name in _SETTINGS:
        if name not in sys.modules:
            register_post_import_hook(note, name)


def _numpy(numpy: Any) -> Callable[[], object]:
    errors = numpy.geterr()
    return lambda: numpy.seterr(**errors)


_BACKENDS_OF_TORCH = (
    "cudnn.enabled", "cudnn.deterministic", "cudnn.allow_tf32", "mkldnn.enabled",
    "cuda.matmul.allow_fp16_reduced_precision_reduction",
    "cuda.matmul.allow_bf16_reduced_precision_reduction",
)  # fmt: skip


def _torch(torch: Any) -> Callable[[], object]:
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    device, precision = torch.get_default_device(), torch.get_float32_matmul_precision()
    backends: dict[str, bool] = {}
    for name in _BACKENDS_OF_TORCH:
        with suppress(AttributeError, RuntimeError):  # this torch has no such
            backends[name] = attrgetter(name)(torch.backends)

    def undo() -> None:
        for name, value in backends.items():
            around, _, last = name.rpartition(".")
            with suppress(RuntimeError):  # what was set by torch's newer names for the same
                if attrgetter(name)(torch.backends) != value:
                    setattr(attrgetter(around)(torch.backends), last, value)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)

    return undo


_SETTINGS: dict[str, Callable[[Any], Callable[[], object]]] = {"numpy": _numpy, "torch": _torch}
"""What takes down the settings of a library, and gives what brings them back."""
