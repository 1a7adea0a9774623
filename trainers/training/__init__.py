"""Training of one run, resumable at every epoch."""
