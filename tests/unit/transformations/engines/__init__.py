"""Engines without any server."""
