"""Property tests of the feature repo."""
