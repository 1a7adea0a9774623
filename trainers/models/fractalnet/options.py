"""FractalNet as a spec sees it: options and widths."""

from __future__ import annotations

from pydantic import Field, model_validator

from trainers.errors import ConfigError
from trainers.methods.fractions import Number, Whole
from trainers.models.architecture import Architecture, ModelOptions, written_out

LARGEST_WIDENING = 8
"""Channels double by block up to this multiple of the first's: 64, 128, 256, 512, 512."""


class FractalNetOptions(ModelOptions):
    """Options of FractalNet; the defaults are those of its CIFAR networks.

    Attributes:
        depth: blocks * 2^(columns - 1), the convolutions on the deepest path (20 and 40 there).
        width: channels of the first block. 64 gives the paper's 64, 128, 256, 512, 512.
        blocks: B, each followed by a pooling that halves the resolution.
        columns: C, the order of the fractal; None means what depth and blocks leave for it.
        drop_path: train with drop-path: in every other step, on average, each join drops each of
            its inputs with this probability (the paper has 0.15), and in the other steps one
            column is used alone. None, the default, drops nothing: Lu et al. (2018) speak of the
            structure as a Runge-Kutta scheme, and quote results without drop-path.
    """

    width: Whole = Field(default=64, ge=1, le=4096)
    blocks: Whole = Field(default=5, ge=1)
    columns: Whole | None = Field(default=None, ge=1)
    drop_path: Number | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="after")
    def _depth_of_the_fractal(self) -> FractalNetOptions:
        columns = columns_of(self)
        if self.drop_path is not None and columns == 1:
            raise ConfigError(
                "drop_path",
                f"drop_path {self.drop_path:g} has nothing to drop in one column: choose depth "
                f"{2 * self.blocks} or more, or remove drop_path",
            )
        return self


def columns_of(options: FractalNetOptions) -> int:
    """C, by which depth = blocks * 2^(C - 1).

    Raises:
        ValueError: there is no such C, or it is not the one asked for; names depths that work.
    """
    depth, blocks = options.depth, options.blocks
    if options.columns is not None:
        # Compared by bit length first, so that no huge power is computed.
        if options.columns > depth.bit_length() or depth != blocks * 2 ** (options.columns - 1):
            valid = (
                f", which is depth {blocks * 2 ** (options.columns - 1)}"
                if options.columns <= 32
                else ""
            )
            raise ConfigError(
                "depth",
                f"depth {depth} is not {blocks} blocks of 2^({options.columns} - 1) layers{valid}",
            )
        return options.columns
    fitting = max(1, (max(depth, 0) // blocks).bit_length())
    if depth != blocks * 2 ** (fitting - 1):
        lower = blocks * 2 ** (fitting - 1)
        raise ConfigError(
            "depth",
            f"depth {depth} is not {blocks} blocks of 2^(columns - 1) layers; the nearest are "
            f"{lower} and {2 * lower}",
        )
    return fitting


def widths_of(options: FractalNetOptions) -> tuple[int, ...]:
    """Channels of each block."""
    return tuple(
        options.width * min(2 ** min(index, 30), LARGEST_WIDENING)
        for index in range(options.blocks)
    )


FRACTALNET = Architecture(
    options=FractalNetOptions,
    complete=written_out("columns", columns_of),
    builder="trainers.models.fractalnet.network:FractalNet",
)
