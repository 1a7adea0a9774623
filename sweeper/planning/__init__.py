"""What a spec would run, and what that costs."""
