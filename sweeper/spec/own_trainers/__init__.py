"""A spec's own trainers, and what each says of itself before anything runs."""
