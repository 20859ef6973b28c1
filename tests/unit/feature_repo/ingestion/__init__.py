"""Unit tests of loading source data."""
