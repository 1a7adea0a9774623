"""`python -m trainers CONFIG.json`."""

import os
import sys

from multistep_sweep import find_own_modules_first, refuse_overwritten_files

if not sys.flags.safe_path:
    here = sys.path.pop(0)  # the current folder, where Python looks first with -m
    if here == os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
        # A checkout, of which no other package may come from elsewhere; last, as a spec's folder.
        sys.path.append(here)
find_own_modules_first()
refuse_overwritten_files()

# Only now is it sure whose modules these will import.
from trainers.command import main  # noqa: E402
from trainers.streams import exit_code  # noqa: E402

sys.exit(exit_code(main))
