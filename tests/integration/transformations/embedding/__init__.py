"""The embedding process, really run."""
