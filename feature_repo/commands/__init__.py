"""Subcommands of `python -m feature_repo`, one module each."""
