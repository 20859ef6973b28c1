"""Property tests of transformations."""
