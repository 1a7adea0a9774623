"""What to run, where and when: the command line, specs, planning, scheduling."""
