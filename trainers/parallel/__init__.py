"""Several processes that train one network together: each a copy of it, and batches of its own."""
