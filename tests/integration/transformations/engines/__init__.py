"""Engines that run the same expressions."""
