"""Property tests of historical retrieval."""
