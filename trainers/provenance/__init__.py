"""Where a run was computed, by which code and with which packages."""
