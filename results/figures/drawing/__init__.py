"""What the figures share: page, style, labels, legends, files."""
