"""The commands of `sweep`, one module each; what several need is in `options` and `output`.

Heavy imports are inside the commands, so that `sweep --help` is quick and neither torch nor ray is
loaded to read a database. Tables go to stdout, everything else to stderr.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import typer

from sweep_plugins import Registry
from sweeper.commands import (
    cancel,
    compare,
    db,
    export,
    import_,
    init,
    plan,
    plot,
    report,
    resume,
    retry,
    run,
    show,
    specs,
    status,
)

COMMANDS: Registry[Callable[..., Any]] = Registry(
    "command",
    "sweep.commands",
    {
        "specs": specs.specs,
        "init": init.init,
        "run": run.run,
        "plan": plan.plan,
        "resume": resume.resume,
        "status": status.status,
        "retry": retry.retry,
        "cancel": cancel.cancel,
        "report": report.report,
        "compare": compare.compare,
        "plot": plot.plot,
        "show": show.show,
        "export": export.export,
        "import": import_.import_,
        "db": db.commands,
    },
    instance_of=(FunctionType, typer.Typer),
)
"""In the order of `sweep --help`. A function is a command, a Typer a group of them."""
