"""A packed copy of a dataset: all its images in one file, decoded and reduced."""
