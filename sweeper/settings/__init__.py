"""What holds for a command: its options, the environment, a file `sweep.toml`, or the defaults."""
