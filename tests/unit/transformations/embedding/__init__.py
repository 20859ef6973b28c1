"""Lines of the embedding process."""
