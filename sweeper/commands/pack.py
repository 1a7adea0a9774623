"""`sweep pack`: packed copies of datasets, which are read sooner than their files."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeper.commands import options
from sweeper.commands.du import readable
from sweeper.commands.output import say, write_table
from sweeper.errors import RequestError, ResourceError

if TYPE_CHECKING:
    from trainers.config.dataset import DatasetConfig
    from trainers.data.packed.decoding import Packing
    from trainers.data.packed.finding import CanBePacked
    from trainers.data.packed.layout import Pack

_SECONDS_BETWEEN_LINES = 5.0


def pack(
    what: Annotated[
        str, typer.Argument(metavar="SPEC|DATASET", help="a spec, or the name of a dataset")
    ],
    reduce: Annotated[
        int | None,
        typer.Option(
            "--reduce", metavar="PIXELS", help="of a dataset: the shorter side of what is kept"
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="read all that a copy has, and compare its digest")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, max=1024, help="that decode; default: one a CPU"),
    ] = None,
    changes: options.SetOption = [],  # noqa: B006
    home: options.HomeOption = options.DEFAULT_HOME,
    format: options.FormatOption = "table",  # noqa: A002
    output: options.OutputOption = None,
) -> None:
    """Make the packed copies of the datasets of SPEC, or of DATASET, that are not there yet."""
    from results.rendering.formats import require_format
    from sweeper.executors.machine_limits import usable_cpus
    from trainers.data.datasets import DATASETS

    require_format(format)
    if what in DATASETS:
        if changes:
            raise RequestError(f"--set changes a spec, and {what!r} is a dataset")
        data_dir = options.home_at(home, None).data
        configs = [_named(what, reduce)]
    else:
        if reduce is not None:
            raise RequestError(
                "--reduce is for a dataset; what a spec reduces its images to stands in it, as"
                " dataset: {name: imagenet, reduce: 256}"
            )
        data_dir, configs = _of_spec(Path(what), changes, home)
    rows = [
        _packed(config.label, reader, path, data_dir, processes or usable_cpus(), check=check)
        for config, reader, path in _packable(configs, data_dir)
    ]
    shown = rows if format != "table" else [{**r, "size": readable(r["size"])} for r in rows]
    write_table(shown, format, output)


def _named(name: str, reduce: int | None) -> DatasetConfig:
    from pydantic import ValidationError

    from sweeper.spec.validation import explain
    from trainers.config.dataset import config_class, parse_dataset

    if reduce is None:
        raise RequestError(
            f"--reduce is missing: the shorter side, in pixels, that images of {name!r} are kept"
            f" with, as in sweep pack {name} --reduce 256"
        )
    given = {"name": name, "reduce": reduce}
    try:
        return parse_dataset(given)
    except ValidationError as error:
        wrong = explain(error, config_class(name), given)
        raise RequestError(
            f"{name} with reduce {reduce} alone is no dataset that can be packed: {wrong};"
            " sweep pack SPEC packs it with all that a spec says of it"
        ) from None


def _of_spec(
    spec: Path, changes: Sequence[str], home: Path | None
) -> tuple[Path, list[DatasetConfig]]:
    from sweeper.spec.files import read_spec_file
    from sweeper.sweep import Sweep

    settings = options.settings_of({"home": home}, spec.parent)
    sweep = Sweep.of(read_spec_file(spec), changes, settings, " ".join(sys.argv))
    configs = [c.dataset for c in sweep.spec.configs if c.dataset is not None]
    return settings.home.data, configs


def _packable(
    configs: Sequence[DatasetConfig], data_dir: Path
) -> Iterator[tuple[DatasetConfig, CanBePacked, Path]]:
    """Each copy once. Raises RequestError if there is none to make."""
    from trainers.data.packed.finding import CanBePacked

    seen: set[Path] = set()
    for config in configs:
        reader: Any = config.facts.read
        path = reader.pack_path(data_dir) if isinstance(reader, CanBePacked) else None
        if path is not None and path not in seen:
            seen.add(path)
            yield config, reader, path
    if not seen:
        names = ", ".join(sorted({config.label for config in configs})) or "none"
        raise RequestError(
            f"no dataset here can be packed (datasets: {names}): it takes imagenet or an"
            " image_folder with `reduce`, the shorter side, in pixels, that images are reduced to;"
            " and of an image_folder `crop`, `shorter_side` or `in_memory: false`, by which it is"
            " not held in memory"
        )


def _packed(
    dataset: str,
    reader: CanBePacked,
    path: Path,
    data_dir: Path,
    processes: int,
    *,
    check: bool,
) -> dict[str, Any]:
    """What is told of one copy, which is there afterwards."""
    from trainers.data.loading import left_out
    from trainers.data.packed.finding import read_packed
    from trainers.data.packed.writing import write_pack

    state = "was there"
    if not path.exists():
        packing = reader.packing(data_dir, lambda: None)
        _require_space(packing, path)
        by = "1 process" if processes == 1 else f"{processes} processes"
        say(f"packs {len(packing):,} images into {path}, by {by}")
        write_pack(packing, path, processes=processes, progress=_Progress(len(packing)))
        state = "made"
    pack, train, test = read_packed(reader, data_dir)
    if check:
        _check(pack, path)
        state += ", checked"
    if lacked := list(left_out(train, test)):
        say(f"left out of {dataset}: {'; '.join(lacked)}")
    return {
        "dataset": dataset,
        "shorter_side": pack.description.shorter_side,
        "train": pack.description.train,
        "test": pack.description.test,
        "left_out": train.damaged + test.damaged,
        "classes": len(pack.description.classes),
        "size": path.stat().st_size,
        "state": state,
        "path": str(path),
    }


def _check(pack: Pack, path: Path) -> None:
    from trainers.data.packed.images import check_pixels

    say(f"reads all of {path}")
    check_pixels(pack, _Progress(len(pack.table)))


def _require_space(packing: Packing, path: Path) -> None:
    from trainers.data.packed.decoding import estimated_size

    free = shutil.disk_usage(path.parent).free
    needed = estimated_size(packing)
    if needed > free:
        raise ResourceError(
            f"{path} will take about {readable(needed)}, and {path.parent} has {readable(free)}"
            " left; a smaller `reduce` takes less"
        )


class _Progress:
    """Images so far, as lines on stderr, now and then."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._began = self._said = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._said < _SECONDS_BETWEEN_LINES:
            return
        self._said = now
        from sweeper.scheduling.progress import format_duration

        rate = done / (now - self._began)
        left = format_duration((self._total - done) / rate) if rate else "?"
        say(f"{done:,} of {self._total:,} images, {rate:,.0f} a second, {left} left")
