"""Runs commands that a test writes, each in a fork of this process: `python -m` with PYTHONPATH.

What is imported, such as torch, is imported once; what a command imports, such as a plug-in, is not
there for the next one, so that files may be edited between two. A line of standard input is
{"arguments": [...], "before": whether as a version that knew no code of plug-ins}, and the answer
[exit code, stdout, stderr].
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from unittest import mock

import trainers.training.train  # noqa: F401
from command_line import sweep
from sweep_plugins import Registry
from trainers.models import MODELS


def main() -> None:
    assert "plain" in MODELS  # which looks at every installed package
    sweep("specs")
    for line in sys.stdin:
        request = json.loads(line)
        answer = Path("answer.json")
        if (child := os.fork()) == 0:
            if request["before"]:
                mock.patch.object(Registry, "code", return_value=None).start()
            said = sweep(*request["arguments"])
            answer.write_text(json.dumps([said.exit_code, said.stdout, said.stderr]))
            os._exit(0)
        os.waitpid(child, 0)
        print(answer.read_text(), flush=True)
        answer.unlink()


if __name__ == "__main__":
    main()
