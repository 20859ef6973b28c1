"""Unit tests of tiers."""
