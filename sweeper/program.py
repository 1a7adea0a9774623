"""`sweep` as a process of its own: its streams, its signals and its end."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

from sweeper import cli
from sweeper.commands.output import say
from sweeper.errors import Interrupted
from sweeper.process_end import end_without_destructors, must_end_without_destructors
from sweeper.scheduling.signals import ignore_requests_to_stop, take_ending_as_control_c
from trainers.streams import STALLED_SECONDS, exit_code

SECONDS_TO_LEAVE = 2.0
"""How long what a trainer left running in this process may take to end with it."""


def main() -> NoReturn:
    """Entry point of the console script."""
    take_ending_as_control_c()
    try:
        code = exit_code(cli.main) or 0
    except KeyboardInterrupt:
        code = Interrupted.exit_code
    ignore_requests_to_stop()
    threading.Thread(target=_end_without, args=(code,), daemon=True).start()
    if must_end_without_destructors():
        end_without_destructors(code)
    sys.exit(code)  # waits for every thread and process


def _end_without(code: int) -> NoReturn:
    time.sleep(SECONDS_TO_LEAVE)
    from multiprocessing import active_children  # which takes as long as a tenth of the start

    own = (threading.main_thread(), threading.current_thread())
    left = [t.name for t in threading.enumerate() if t not in own and not t.daemon]
    processes = active_children()
    left += [process.name for process in processes]
    sentence = (
        f"ended without waiting for what a trainer left running: {', '.join(left) or 'unknown'}"
    )
    # A thread of its own, since stderr may be in use by what was left running, and not be read.
    telling = threading.Thread(target=say, args=(sentence,), daemon=True)
    telling.start()
    telling.join(STALLED_SECONDS + 1)
    # Only now: the main thread waits for them, and with it the program would end.
    for process in processes:
        process.kill()
    os._exit(code)
