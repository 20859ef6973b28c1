"""WHAT features exist: definitions, versions, registry, stores and source tables."""
