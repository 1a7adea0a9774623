"""The README.txt of an archive, for readers who do not have this program."""

from __future__ import annotations

from results.archive.layout import ARCHIVED, MANIFEST
from results.archive.manifest import Manifest

_TEXT = """\
An archive of sweeps: trainings of multistep residual networks and what they measured.
Written by {program} on {created_at}.

Sweeps: {sweeps}

Every .parquet file is one table, which DuckDB, pandas, Polars, R (arrow) and others read:

    duckdb -c "SELECT scheme, avg(test_accuracy) FROM 'runs.parquet' GROUP BY scheme"
    python -c "import pandas; print(pandas.read_parquet('runs.parquet'))"

{files}

How they belong together: run_id and evaluation_id are the same in every file, and the column
sweep holds the name from sweeps.parquet. A run_id is the hash of everything that decides the
run's result (the column config of runs.parquet); an evaluation_id is that of an evaluation.

Accuracies are percent, from 0 to 100. Times are seconds; points in time (..._at) are seconds
since 1970-01-01 00:00 UTC. Parameters are counts. Columns named in {manifest} with the
content JSON hold JSON as text. Only runs with the state 'done' have results; a network that
diverged is such a result, and its accuracies may be empty.

Weights and checkpoints are not part of an archive. They stay in the folder of the runs where the
networks were trained; weights_sha256 in runs.parquet identifies them.

{manifest} has the rows, bytes, SHA-256, columns, types and units of every file. To read the
archive back into a results database: sweep import FOLDER
"""


def readme_text(manifest: Manifest) -> str:
    """What README.txt says."""
    width = max(len(entry.file) for entry in ARCHIVED.values())
    rows = {file.name: file.rows for file in manifest.files}
    return _TEXT.format(
        program=manifest.program,
        created_at=manifest.created_at.isoformat(timespec="seconds"),
        sweeps=", ".join(manifest.sweeps) or "none",
        manifest=MANIFEST,
        files="\n".join(
            f"    {entry.file:<{width}}  {rows[entry.file]:>9,} rows: {entry.about}"
            for entry in ARCHIVED.values()
        ),
    )
