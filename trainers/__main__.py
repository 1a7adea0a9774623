"""`python -m trainers CONFIG.json`."""

import sys

from trainers.run import main

sys.exit(main())
