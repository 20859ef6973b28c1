"""Transformations against real stores."""
