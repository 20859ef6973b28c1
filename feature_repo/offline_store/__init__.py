"""Feast's offline store plugin: what Feast asks of the past, and what it is answered."""
