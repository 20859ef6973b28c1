"""Worked examples, to be read and run."""
