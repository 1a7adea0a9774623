"""What takes space, what of it nobody needs any more, and deleting sweeps."""
