"""Which code of this project a process has imported, so that a worker's can be compared."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import results
import sweep_plugins
import sweeper
import trainers

_PACKAGES = {module.__name__: module for module in (results, sweep_plugins, sweeper, trainers)}


@dataclass(frozen=True)
class OwnCode:
    """The code of this process.

    Attributes:
        folder: where the packages of this project lie.
        sha256: of their modules.
        versions: of Python and of what a run's bits depend on, without what names only a build,
            such as "+cpu".
    """

    folder: str
    sha256: str
    versions: dict[str, str]

    def difference(self, driver: OwnCode) -> str:
        """How this process of a worker differs from the driver's; empty if it does not."""
        found = [
            f"{name} is {self.versions.get(name, 'missing')}, and {wanted} on the driver's machine"
            for name, wanted in driver.versions.items()
            if self.versions.get(name) != wanted
        ]
        if self.sha256 != driver.sha256:
            found.append(f"the code of sweep in {self.folder} is not the driver's")
        return "; ".join(found)


def own_code() -> OwnCode:
    """That of this process, as its files are now."""
    digest = hashlib.sha256()
    for name, content in _modules():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    versions = {"Python": platform.python_version()}
    for package in ("numpy", "torch"):
        try:
            versions[package] = version(package).partition("+")[0]
        except PackageNotFoundError:
            versions[package] = "missing"
    return OwnCode(_folder(), digest.hexdigest(), versions)


def as_plain_data(code: OwnCode) -> dict[str, Any]:
    """For a process that has not imported this module yet."""
    return asdict(code)


def _folder() -> str:
    return str(Path(sweeper.__path__[0]).absolute().parent)


def _modules() -> Iterator[tuple[str, bytes]]:
    for package, module in sorted(_PACKAGES.items()):
        root = Path(module.__path__[0])
        for file in sorted(root.rglob("*.py")):
            yield f"{package}/{file.relative_to(root)}", file.read_bytes()
