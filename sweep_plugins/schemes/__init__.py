"""What the coefficients of a scheme are, exactly, what they are called, and which roots they have.

A run's config has them, so that trainers and figures know the same of them.
"""
