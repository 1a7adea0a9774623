"""The commands of `sweep`, by what they do.

`run.py` makes results, `ask.py` reads them, `keep.py` looks after the database. Heavy imports are
inside the commands, so that `sweep --help` is quick and neither torch nor ray is loaded to read a
database. Tables go to stdout, everything else to stderr.
"""
