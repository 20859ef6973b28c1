"""Unit tests of what surrounds the routes."""
