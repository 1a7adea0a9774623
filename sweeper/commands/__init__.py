"""The commands of `sweep`, one module each; what several need is in `options` and `output`.

Heavy imports are inside the commands, so that `sweep --help` is quick and neither torch nor ray is
loaded to read a database. Tables go to stdout, everything else to stderr.
"""

from __future__ import annotations

from collections.abc import Callable

from sweeper.commands import (
    cancel,
    compare,
    db,
    export,
    import_,
    plan,
    plot,
    report,
    resume,
    retry,
    run,
    show,
    status,
)

COMMANDS: dict[str, Callable[..., None]] = {
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
    "db current": db.current,
    "db upgrade": db.upgrade,
}
"""In the order of `sweep --help`. A name of two words is a command of one of GROUPS."""

GROUPS = {"db": "The database's schema: which it is, and bring it up to date."}
"""Commands that are groups of others, and what their help says."""
