"""`python -m trainers CONFIG.json`."""

import sys

from multistep_sweep import find_own_modules_first, refuse_overwritten_files

if not sys.flags.safe_path:
    del sys.path[0]  # the current folder, where Python looks first with -m
find_own_modules_first()
refuse_overwritten_files()

# Only now is it sure whose modules these will import.
from trainers.run import main  # noqa: E402
from trainers.streams import exit_code  # noqa: E402

sys.exit(exit_code(main))
