"""Property tests of loading source data."""
