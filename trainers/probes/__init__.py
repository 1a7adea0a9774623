"""What is watched while a network trains."""
