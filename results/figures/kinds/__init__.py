"""One module for each kind of figure: what it shows, and how it is drawn."""
