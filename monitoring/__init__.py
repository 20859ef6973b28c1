"""WATCH: what is stored, how old it is, and how its computations went."""
