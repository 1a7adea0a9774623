"""`sweep specs`: the specs that come with the program."""

from __future__ import annotations

from sweeper.commands.options import FormatOption, OutputOption, RawOption
from sweeper.commands.output import say, write_table


def specs(
    format: FormatOption = "table",  # noqa: A002
    raw: RawOption = False,
    output: OutputOption = None,
) -> None:
    """List the specs that come with the program, with what each of them needs."""
    from sweeper.spec.shipped import shipped_specs
    from sweeper.spec.spec import load_spec

    rows = []
    for name, path in shipped_specs().items():
        spec = load_spec(path)
        datasets = {str(c.dataset.name) for c in spec.configs if c.dataset is not None}
        rows.append(
            {
                "name": name,
                "runs": len(spec.configs),
                "datasets": ", ".join(sorted(datasets)),
                "gpus": spec.resources.gpus,
                "description": spec.description,
            }
        )
    write_table(rows, format, output, raw=raw)
    say(
        f"{len(rows)} specs; gpus are those of one run. sweep plan NAME shows the runs of one,"
        " sweep init FOLDER writes all of them to files"
    )
