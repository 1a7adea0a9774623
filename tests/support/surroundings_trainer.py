"""A trainer that notes what its process was started with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psutil

import fake_trainers
from trainers.config.job import TrainingJob, TrainingResult


def notes_its_surroundings(job: TrainingJob) -> TrainingResult:
    """Beside its checkpoints: paths, modules, and the environments of it and of what started it."""
    import gzip
    import timeit

    import numpy

    assert job.folder is not None
    raylet = psutil.Process().parent()
    noted = {
        "path": sys.path,
        "modules": {name: sys.modules[name].__file__ for name in ("results", "sweeper", "trainers")}
        | {module.__name__: module.__file__ for module in (gzip, numpy, timeit)},
        "environments": [dict(os.environ), raylet.environ() if raylet else {}],
        "arguments": psutil.Process().cmdline() + (raylet.cmdline() if raylet else []),
    }
    Path(job.folder.location).mkdir(parents=True, exist_ok=True)
    (Path(job.folder.location) / "noted.json").write_text(json.dumps(noted))
    return fake_trainers.quick(job)
