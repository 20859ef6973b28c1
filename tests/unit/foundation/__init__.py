"""Unit tests of foundation."""
