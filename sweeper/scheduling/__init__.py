"""The life of a sweep: adopt, claim, run, store."""
