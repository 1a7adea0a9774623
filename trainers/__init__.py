"""How one run trains. Knows no sweep, no database and no Ray."""
