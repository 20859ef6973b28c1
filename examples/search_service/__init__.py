"""A search service that computes popularity by itself, and moves to the feature store."""
