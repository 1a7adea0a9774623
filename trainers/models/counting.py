"""Parameters and multiply-adds of networks, each network counted once.

Counting needs torch, which takes seconds to import. So what was counted is kept in a file that the
caller names, and torch is imported only for a network that is not in there. What stands in the
file is found by a digest of the options, and of the code that builds the network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pkgutil
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainers.errors import TrainerError
from trainers.storage.atomic_write import write_atomically
from trainers.storage.regular_file import open_regular

if TYPE_CHECKING:
    from trainers.methods.scheme_config import SchemeConfig
    from trainers.models.architecture import Architecture, ModelOptions

_FORMAT = 2
_MOST_KEPT = 10_000
_LARGEST_FILE = 2**26

_PACKAGE = Path(__file__).parents[1]
_OURS = (_PACKAGE / "models", _PACKAGE / "methods")


class TrainingCounts(NamedTuple):
    """What a forward pass of training does to memory, in float32; bytes are those of one image.

    Attributes:
        saved: bytes that autograd keeps for the backward pass; of a network that drops parts of
            itself at random, with nothing dropped.
        moved: bytes that operations read and write, without weights, convolutions and matrix
            products.
        moved_by_products: bytes that these read and write, without weights.
        largest: bytes of the largest result of an operation.
        operations: that read or write anything of images, however many these are.
    """

    saved: int
    moved: int
    moved_by_products: int
    largest: int
    operations: int


@dataclass(frozen=True)
class NetworkCounts:
    """What there is of one network.

    Attributes:
        parameters: that are trained.
        multiply_adds: of one image's forward pass, in convolutions and matrix products; without
            the classifier's.
        training: None where no such pass can be made without what only a training has.
    """

    parameters: int
    multiply_adds: int
    training: TrainingCounts | None = None


_known: dict[str, NetworkCounts] = {}


def read_counts(path: Path) -> None:
    """What the file has need not be counted again; one that is unreadable has nothing."""
    _known.update(_read(path))


def write_counts(path: Path) -> None:
    """Add to the file what it lacks of what was counted.

    Two processes may do so at once: what is lost of one of them is counted again, as is what cannot
    be written, because the disk is full or not ours.
    """
    stored = _read(path)
    if not _known.keys() - stored.keys():
        return
    newest = list({**stored, **_known}.items())[-_MOST_KEPT:]
    networks = {
        key: (counts.parameters, counts.multiply_adds, *(counts.training or ()))
        for key, counts in newest
    }
    with suppress(OSError):
        write_atomically(path, json.dumps({"format": _FORMAT, "networks": networks}).encode())


def _read(path: Path) -> dict[str, NetworkCounts]:
    try:
        with open_regular(path, _LARGEST_FILE) as file:
            stored = json.loads(file.read())
        if stored["format"] != _FORMAT:
            return {}
        return {
            key: _of_numbers(*map(int, numbers))
            for key, numbers in stored["networks"].items()
            if all(0 <= number < 2**63 for number in numbers)
        }
    except Exception:  # whatever keeps the file from being read, its networks are counted again
        return {}


def _of_numbers(parameters: int, multiply_adds: int, *training: int) -> NetworkCounts:
    return NetworkCounts(parameters, multiply_adds, TrainingCounts(*training) if training else None)


def count(
    architecture: Architecture,
    options: ModelOptions,
    scheme: SchemeConfig | None,
    *,
    channels: int,
    classes: int,
    size: int,
) -> NetworkCounts:
    """The counts of one network; see Architecture for what they may depend on.

    Args:
        options: completed ones.
        channels, size: of an image; `size` is pixels a side.

    Raises:
        TrainerError: the network cannot be built, or takes no such image.
    """
    structure = None if scheme is None else (scheme.steps, scheme.learned)
    key = _key(architecture, options, structure, (channels, classes, size))
    if key not in _known:
        measure = pkgutil.resolve_name("trainers.models.building:measure")
        image = {"channels": channels, "classes": classes, "size": size}
        try:
            _known[key] = NetworkCounts(*measure(architecture.builder, options, scheme, **image))
        except Exception as error:
            reason = " ".join(str(error).split())
            raise TrainerError(
                f"the network of model {options.name!r} cannot be built for images of {channels} x "
                f"{size} x {size}: {type(error).__name__}: {reason}"
            ) from error
    return _known[key]


@lru_cache(maxsize=1 << 16)
def _key(
    architecture: Architecture,
    options: ModelOptions,
    structure: tuple[int, str | None] | None,
    image: tuple[int, int, int],
) -> str:
    model = options.model_dump(mode="json")
    what = [_code(architecture), model, structure, *image]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=1 << 10)
def _code(architecture: Architecture) -> str:
    """The builder's name, and a digest of the sources that decide what it builds.

    These are this project's networks and methods, and of another's model the whole package that it
    is in.
    """
    builder = architecture.builder
    if isinstance(builder, str):
        module, name = builder.partition(":")[0], builder
    else:
        made = builder if hasattr(builder, "__qualname__") else type(builder)
        module, name = made.__module__, f"{made.__module__}:{made.__qualname__}"
    digest = hashlib.sha256()
    files = [file for folder in _OURS for file in folder.rglob("*.py")]
    if module.partition(".")[0] != __name__.partition(".")[0]:
        theirs = _sources(module)
        if not theirs:
            # Not from a file, so that changes cannot be detected: counted in each process.
            digest.update(secrets.token_bytes(16))
        files += theirs
    for file in sorted(files):
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return f"{name} {digest.hexdigest()}"


def _sources(module: str) -> list[Path]:
    """The files of a module's package, or its own where it is in none."""
    try:
        found = importlib.util.find_spec(module.partition(".")[0])
    except ValueError:  # of a module that was not imported, such as __main__
        found = None
    if found is None:
        return []
    if found.submodule_search_locations is not None:
        folders = map(Path, found.submodule_search_locations)
        return [file for folder in folders for file in folder.rglob("*.py")]
    return [Path(found.origin)] if found.origin and Path(found.origin).is_file() else []
