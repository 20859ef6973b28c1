"""Unit tests of the stores' encodings."""
