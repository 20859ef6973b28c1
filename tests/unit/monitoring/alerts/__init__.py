"""Alerts, and the rules they become."""
