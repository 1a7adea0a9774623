"""Images that are read from where they lie while a network trains, by worker processes."""
