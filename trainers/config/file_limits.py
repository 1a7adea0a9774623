"""How much of what a run writes into its folder of files is kept."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ByteSize, Field, ValidationError, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from sweep_plugins.file_path import MOST_FILES
from trainers.config.frozen import Frozen
from trainers.methods.fractions import Whole

MOST_BYTES = 2**40


def _size(given: Any, parse: ValidatorFunctionWrapHandler) -> ByteSize:
    try:
        if isinstance(given, bool) or not 0 <= (size := parse(given)) <= MOST_BYTES:
            raise ValueError
    except (ValueError, ValidationError):
        raise ValueError(
            f"{given!r:.80} is no size: a number of bytes up to a TiB, or such as 100MB or 1.5GiB"
        ) from None
    return ByteSize(size)


class FileLimits(Frozen):
    """The `files` of a spec; never part of a run's identity. Of each run, all together:

    Attributes:
        max_bytes: a number, or a text such as "100MB".
        max_count: of files.
    """

    max_bytes: Annotated[ByteSize, WrapValidator(_size)] = ByteSize(100_000_000)
    max_count: Whole = Field(default=1_000, ge=0, le=MOST_FILES)
