"""Monitoring against real stores."""
