"""Unit tests of transformations."""
