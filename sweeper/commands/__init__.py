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

COMMANDS: Registry[Callable[..., Any]] = Registry(
    "command",
    "sweep.commands",
    {
        "specs": "sweeper.commands.specs:specs",
        "init": "sweeper.commands.init:init",
        "pack": "sweeper.commands.pack:pack",
        "run": "sweeper.commands.run:run",
        "plan": "sweeper.commands.plan:plan",
        "resume": "sweeper.commands.resume:resume",
        "status": "sweeper.commands.status:status",
        "retry": "sweeper.commands.retry:retry",
        "cancel": "sweeper.commands.cancel:cancel",
        "report": "sweeper.commands.report:report",
        "compare": "sweeper.commands.compare:compare",
        "plot": "sweeper.commands.plot:plot",
        "show": "sweeper.commands.show:show",
        "logs": "sweeper.commands.logs:logs",
        "files": "sweeper.commands.files:files",
        "du": "sweeper.commands.du:du",
        "gc": "sweeper.commands.gc:gc",
        "delete": "sweeper.commands.delete:delete",
        "tag": "sweeper.commands.tag:tag",
        "note": "sweeper.commands.note:note",
        "export": "sweeper.commands.export:export",
        "import": "sweeper.commands.import_:import_",
        "db": "sweeper.commands.db:commands",
    },
    instance_of=(FunctionType, typer.Typer),
)
"""In the order of `sweep --help`. A function is a command, a Typer a group of them."""
