"""The files that runs keep: reading them where they are stored, and writing them elsewhere."""
