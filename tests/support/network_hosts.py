"""Several hosts on one machine, each in Linux namespaces of its own, joined by a virtual switch.

A host has its own network, process numbers, name and shared memory, as a container has. To kill
its first process is to pull its plug: the kernel ends every other one with it. All hosts end when
the test's process does, however that ends. Nothing is seen from outside: the switch has a
namespace, too, and no way out.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import psutil

NAMESPACES = ("--net", "--pid", "--mount", "--uts", "--ipc")
EMPTY_FOLDERS = ("/dev/shm", "/run", "/srv", "/tmp/ray")
"""A host's own; what is mounted lies below them."""

# As the first process it has to bury orphans, which a shell does. It lives while its input does.
STAY = "echo ready; read -r _"


def why_not() -> str | None:
    """Why there can be no such hosts on this machine; None if there can."""
    missing = [tool for tool in ("ip", "mount", "nsenter", "unshare") if not shutil.which(tool)]
    if missing:
        return f"network namespaces need {', '.join(missing)} (Linux: iproute2, util-linux)"
    if os.geteuid() != 0:
        return "network namespaces need root"
    tried = subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode else None


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A new folder that all hosts see: pytest's may be below one of EMPTY_FOLDERS."""
    with TemporaryDirectory(prefix="sweep-hosts-", dir="/var/tmp") as folder:
        yield Path(folder)


class Process:
    """A program on a host, with its output in a file."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            self._entering = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def program(self) -> psutil.Process:
        """The program itself, by its number outside of the host."""
        (program,) = psutil.Process(self._entering.pid).children()
        return program

    def wait(self, timeout: float) -> int:
        """Its exit code."""
        return self._entering.wait(timeout)

    @property
    def ended(self) -> bool:
        return self._entering.poll() is not None

    def output(self) -> str:
        return self._log.read_text(errors="replace")


class Host:
    """One of a HostNetwork's. `name` is its address, too."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._logs = 0
        self._holder = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--mount-proc", "bash", "-c", STAY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # some versions complain about signal masks at their end
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        (first,) = psutil.Process(self._holder.pid).children()
        self.pid = first.pid
        """Of its first process, as seen from outside."""

    def connect(self, switch: int, number: int, hosts_file: Path) -> None:
        """Plug it into the switch of that process; `number` is the last part of its address."""
        link = f"host{number}"
        _run(_inside(switch, ["--net"]), "ip", "link", "add", link, "type", "veth",
             "peer", "name", "eth0", "netns", str(self.pid))  # fmt: skip
        _run(_inside(switch, ["--net"]), "ip", "link", "set", link, "master", "switch", "up")
        here = _inside(self.pid, NAMESPACES)
        _run(here, "ip", "address", "add", f"{_address(number)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run(here, "ip", "link", "set", device, "up")
        _run(here, "hostname", self.name)
        _run(here, "mount", "--bind", str(hosts_file), "/etc/hosts")

    def mount(self, places: Mapping[str, Path]) -> None:
        """Show files and folders of this machine at other paths, below EMPTY_FOLDERS."""
        here = _inside(self.pid, NAMESPACES)
        for folder in EMPTY_FOLDERS:
            os.makedirs(folder, exist_ok=True)
            _run(here, "mount", "-t", "tmpfs", "tmpfs", folder)
        for target, source in places.items():
            folder = target if source.is_dir() else os.path.dirname(target)
            _run(here, "mkdir", "-p", folder)
            if not source.is_dir():
                _run(here, "touch", target)
            _run(here, "mount", "--bind", str(source), target)

    def start(
        self, command: Sequence[str], env: Mapping[str, str], *, folder: str = "/"
    ) -> Process:
        """Start a program there, in that folder."""
        self._logs += 1
        log = self._folder / f"{self.name}-{self._logs}-{Path(command[0]).name}.log"
        return Process(self._command(command, folder), env, log)

    def run(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        folder: str = "/",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """The same, to its end."""
        return subprocess.run(
            self._command(command, folder), env=env, capture_output=True, text=True, timeout=timeout
        )

    def _command(self, command: Sequence[str], folder: str) -> list[str]:
        go_there = ["sh", "-c", 'cd "$0" && exec "$@"', folder]
        return [*_inside(self.pid, NAMESPACES), *go_there, *command]

    def processes(self) -> list[psutil.Process]:
        """Everything that runs there."""
        namespace = os.readlink(f"/proc/{self.pid}/ns/pid")
        return [process for process in psutil.process_iter() if _namespace(process) == namespace]

    def cut_the_cable(self) -> None:
        """It runs on, and neither reaches anyone nor is reached."""
        _run(_inside(self.pid, NAMESPACES), "ip", "link", "set", "eth0", "down")

    def pull_the_plug(self) -> None:
        """End it and all that runs on it, at once. Nothing on it can say goodbye."""
        if self._holder.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._holder.communicate()


class HostNetwork:
    """A context manager: its hosts exist inside the `with` block only."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """`folder` is for logs; `names` are those that hosts may have, and know each other by."""
        self._folder = folder
        self._names = list(names)
        self._hosts_file = folder / "hosts"
        lines = [f"{_address(number)} {name}" for number, name in enumerate(self._names, 1)]
        self._hosts_file.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._switch = Host("switch", self._folder)
        self._stack.callback(self._switch.pull_the_plug)
        here = _inside(self._switch.pid, ["--net"])
        _run(here, "ip", "link", "add", "switch", "type", "bridge")
        _run(here, "ip", "link", "set", "switch", "up")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, name: str, places: Mapping[str, Path] | None = None) -> Host:
        """A new host; see Host.mount for `places`."""
        host = Host(name, self._folder)
        self._stack.callback(host.pull_the_plug)
        host.connect(self._switch.pid, self._names.index(name) + 1, self._hosts_file)
        host.mount(places or {})
        return host


def _address(number: int) -> str:
    return f"10.77.0.{number}"


def _inside(pid: int, namespaces: Sequence[str]) -> list[str]:
    return ["nsenter", "--target", str(pid), *namespaces]


def _run(prefix: Sequence[str], *command: str) -> None:
    done = subprocess.run([*prefix, *command], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _namespace(process: psutil.Process) -> str | None:
    try:
        return os.readlink(f"/proc/{process.pid}/ns/pid")
    except OSError:
        return None
