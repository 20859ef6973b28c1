"""Property tests of the gateway."""
