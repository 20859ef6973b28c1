"""Monitoring without servers."""
