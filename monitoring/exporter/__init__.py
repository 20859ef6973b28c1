"""Prometheus metrics of jobs, features and snapshots, as the tables tell them."""
