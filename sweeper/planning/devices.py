"""Devices that runs train on, by the figures of their makers; docs/estimates.md has the sources."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sweep_plugins.errors import nearest
from sweeper.errors import RequestError


@dataclass(frozen=True)
class Device:
    """What one device can do at most.

    Attributes:
        name: as `--device` takes it.
        fp32: multiplications and additions a second in float32.
        tensor16: the same of products of 16-bit numbers added up in float32, without sparsity.
        bandwidth: bytes a second from and to its memory.
        memory: bytes; None where it is not the device's to say.
        tf32: products of float32 numbers rounded to TF32; None for a device without them.
    """

    name: str
    fp32: float
    tensor16: float
    bandwidth: float
    memory: int | None
    tf32: float | None = None

    def like(self, name: str) -> Device:
        """One of another name, which is taken for as fast; how much memory it has is not known."""
        return replace(self, name=name, memory=None)


def _gpu(
    name: str, fp32: float, tf32: float | None, tensor16: float, bandwidth: int, gib: int
) -> Device:
    """Args: in units of 1e12 operations a second, 1e9 bytes a second, and GiB."""
    rounded = None if tf32 is None else tf32 * 1e12
    return Device(name, fp32 * 1e12, tensor16 * 1e12, bandwidth * 1e9, gib * 2**30, rounded)


GPUS = {
    gpu.name: gpu
    for gpu in (
        _gpu("RTX 2080 Ti", 13.4, None, 53.8, 616, 11),
        _gpu("RTX 3090", 35.6, 35.6, 71.2, 936, 24),
        _gpu("RTX 4090", 82.6, 82.6, 165.2, 1_008, 24),
        _gpu("T4", 8.1, None, 65, 320, 16),
        _gpu("L4", 30.3, 60, 121, 300, 24),
        _gpu("A10", 31.2, 62.5, 125, 600, 24),
        _gpu("L40S", 91.6, 183, 362, 864, 48),
        _gpu("V100", 15.7, None, 125, 900, 16),
        _gpu("V100 32GB", 15.7, None, 125, 900, 32),
        _gpu("A100", 19.5, 156, 312, 1_555, 40),
        _gpu("A100 80GB", 19.5, 156, 312, 2_039, 80),
        _gpu("H100", 66.9, 494.7, 989.4, 3_350, 80),
        _gpu("H200", 66.9, 494.7, 989.4, 4_800, 141),
    )
}

USUAL_GPU = GPUS["RTX 2080 Ti"]
"""What is planned for where nothing is known: what ZeroSNet's authors had ten of."""

CPU_CORE = Device("CPU core", fp32=1e11, tensor16=1e11, bandwidth=1.5e10, memory=None)
"""Of a server of 2024, with vectors of 256 bits at 3 GHz; 16-bit numbers are no faster there."""

_WORDS = re.compile(r"[a-z]+|\d+")
_IGNORED = {"nvidia", "geforce", "tesla", "quadro", "sxm", "pcie", "hbm", "gb", "nvl"}


def named(name: str) -> Device:
    """The GPU of this name, or of one that drivers and Ray have for it.

    Raises RequestError for one that the table lacks.
    """
    if found := known(name):
        return found
    close = _with_words_of(name) or nearest(name, GPUS)
    meant = f"did you mean {close!r}? " if close else ""
    raise RequestError(
        f"nothing is known of the device {name!r}: {meant}there are {', '.join(GPUS)}"
    )


def known(name: str) -> Device | None:
    """The same; None for one that the table lacks."""
    exact = next((gpu for gpu in GPUS.values() if gpu.name.lower() == name.strip().lower()), None)
    return exact or _BY_WORDS.get(_words(name))


def _with_words_of(name: str) -> str | None:
    """The first GPU whose name has all that this one says, as RTX 2080 Ti has of 2080ti."""
    said = set(_words(name))
    return next((gpu.name for words, gpu in _BY_WORDS.items() if said and said <= {*words}), None)


def _words(name: str) -> tuple[str, ...]:
    """What a name says, such as ("a", "100", "80") of "NVIDIA A100-SXM4-80GB"."""
    plain = re.sub(r"sxm\d?|hbm\d?e?|(?<=\d)g\b", " ", name.lower())
    return tuple(word for word in _WORDS.findall(plain) if word not in _IGNORED)


_BY_WORDS = {_words(gpu.name): gpu for gpu in GPUS.values()} | {
    _words(name): GPUS[of]
    for name, of in (
        ("A100 40GB", "A100"),
        ("V100 16GB", "V100"),
        ("H100 80GB", "H100"),
        ("H200 141GB", "H200"),
        ("A10G", "A10"),
    )
}
