"""Commands of `python -m monitoring`."""
