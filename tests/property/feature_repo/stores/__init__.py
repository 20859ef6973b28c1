"""Property tests of the stores' encodings."""
