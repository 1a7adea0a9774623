"""`sweep plot`: figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweeper.commands import options
from sweeper.commands.matplotlib_settings import import_matplotlib
from sweeper.commands.output import say, unwritable, write_text
from sweeper.commands.unmatched import say_unmatched
from sweeper.errors import RequestError
from sweeper.permissions import usual_files


def plot(
    sweep: options.SweepArgument,
    figures: Annotated[
        list[str], typer.Argument(metavar="[FIGURE]...", help="default: all that its runs can give")
    ] = [],  # noqa: B006
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="of the figures that show one, and of training curves; default: test_accuracy, or"
            " what the trainer reported; another one is part of a file's name",
        ),
    ] = None,
    quantity: Annotated[
        list[str],
        typer.Option("--quantity", metavar="NAME", help="of the probes: these quantities only"),
    ] = [],  # noqa: B006
    layer: Annotated[
        list[str], typer.Option("--layer", metavar="NAME", help="of the probes: these layers only")
    ] = [],  # noqa: B006
    where: options.WhereOption = [],  # noqa: B006
    format: Annotated[str, typer.Option("--format", help="png, svg or pdf")] = "png",  # noqa: A002
    output: Annotated[
        Path | None, options.path_option("--output", "FOLDER", "default: figures/SWEEP here")
    ] = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
) -> None:
    """Draw figures: accuracy by scheme, size and noise, training curves, roots, probes."""
    from results.analysis.imported import note_about
    from results.figures import FIGURES, FORMATS, draw, possible, save, shown_metric
    from results.figures.epoch_rows import epoch_values, metric_values
    from results.figures.probe_rows import probe_values
    from results.queries.queries import Queries
    from sweeper.spec.spec import SWEEP_NAME

    if format not in FORMATS:
        raise RequestError(f"--format {format!r}: it must be one of {', '.join(FORMATS)}")
    if output is None and not SWEEP_NAME.fullmatch(sweep):
        raise RequestError(f"{sweep!r} gives no name to a folder: choose one with --output")
    folder = output or Path("figures") / sweep
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"--output {folder} is no folder: name one for the figures")
    import_matplotlib()
    with Queries.open(options.home_at(home, db).database) as queries, queries.one_view():
        by_default = queries.default_metric([sweep], where=where)
        wanted_metrics = [metric] if metric else queries.default_metrics([sweep], where=where)
        rows = queries.run_rows(
            [sweep],
            where=where,
            config=True,
            learned_coefficients=True,
            metrics=wanted_metrics,
        )
        if not rows:
            say_unmatched(queries, [sweep], where)
        metric = metric or by_default
        epochs, thinned = epoch_values(queries, [sweep], where)
        reported, also_thinned = metric_values(queries, [sweep], where, metric)
        epochs += reported
        needed = not figures or any(FIGURES[name].uses_probes for name in figures)
        probes, left_out = (
            probe_values(queries, [sweep], where, quantity, layer) if needed else ([], None)
        )
    for sentence in filter(None, (left_out, thinned, also_thinned)):
        say(sentence)
    if note := note_about(rows):
        say(note)
    wanted = list(figures)
    if not wanted:
        reasons = possible(rows, epochs, probes, metric=metric)
        wanted = [name for name, reason in reasons.items() if reason is None]
        for name, reason in reasons.items():
            if reason is not None:
                say(f"no {name}: {reason}")
    drawn = [(name, draw(name, rows, epochs, probes, metric=metric)) for name in wanted]
    try:
        with usual_files():
            folder.mkdir(parents=True, exist_ok=True)
            for name, figure in drawn:
                shown = shown_metric(name, rows, metric)
                if shown != shown_metric(name, rows, by_default):
                    # No metric that a trainer reports has a comma in its name.
                    name = f"{name}-{shown}".replace("/", ",")
                path = folder / f"{name}.{format}"
                save(figure, path)
                write_text(f"{path}\n", None)
    except OSError as error:
        raise unwritable(folder, error) from error
