"""Unit tests of the offline store plugin."""
