"""Starts the writer as a process that is nobody's child.

A trainer may wait for all children of its process, or end them. The arguments are the folder to
import this project from, and the number of a socket.
"""

import os
import signal
import sys

for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    # It is for the worker, of which what it writes last is to be kept.
    signal.signal(request, signal.SIG_IGN)
if os.fork():
    os._exit(0)
sys.path.insert(0, sys.argv[1])

from sweeper.logs.writer import main  # noqa: E402

main(int(sys.argv[2]))
