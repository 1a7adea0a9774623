"""`python -m trainers CONFIG.json`."""

import sys

from multistep_sweep import find_own_modules_first

if not sys.flags.safe_path:
    del sys.path[0]  # the current folder, where Python looks first with -m
find_own_modules_first()

from trainers.run import main  # noqa: E402 - only now is it sure whose modules it will import

sys.exit(main())
