"""Metadata, version rules and the catalog: what a definition must say and what is deployed."""
