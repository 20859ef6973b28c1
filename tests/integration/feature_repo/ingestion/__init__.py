"""Loading source data into a real PostgreSQL."""
