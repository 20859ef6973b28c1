"""How fast it is, next to Feast alone, in one run on the same machine."""
