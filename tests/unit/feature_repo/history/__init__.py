"""Tests of what historical retrieval does without a store."""
