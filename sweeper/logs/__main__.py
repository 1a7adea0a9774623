"""Starts the writer as a process that is nobody's child.

A trainer may wait for all children of its process, or end them. The arguments are the folder to
import this project from, and the number of a socket.
"""

import os
import sys

if os.fork():
    os._exit(0)
sys.path.insert(0, sys.argv[1])

from sweeper.logs.writer import main

main(int(sys.argv[2]))
