"""Unit tests of feature_repo."""
