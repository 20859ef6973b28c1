"""Property tests of foundation."""
