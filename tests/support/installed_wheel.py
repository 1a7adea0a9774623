"""The wheel, installed into an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and otherwise only this environment's packages."""

    bin: Path

    def run(
        self, *command: object, folder: Path, path: tuple[Path, ...] = (), timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """A program of the environment, run in `folder` with `path` as PYTHONPATH."""
        program, *arguments = map(str, command)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        if path:
            environment["PYTHONPATH"] = os.pathsep.join(map(str, path))
        return subprocess.run(
            [self.bin / program, *arguments],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def sweep(
        self, *arguments: object, folder: Path, path: tuple[Path, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        done = self.run("sweep", *arguments, folder=folder, path=path)
        assert done.returncode == 0, done.stderr
        return done


def install(folder: Path) -> None:
    """Builds the wheel, and installs it into `folder / "environment"`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # A build leaves files next to the source, and takes along what an earlier one left there.
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, tracked):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name, follow_symlinks=False)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation",
         "--wheel-dir", folder, source],
        check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True
    )
    # A folder named by a .pth file has its own .pth files ignored, so this checkout is not there.
    (site_packages,) = environment.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.rmtree(source)
