"""WHAT features exist: definitions, versions, their registry, their stores and the source tables."""
