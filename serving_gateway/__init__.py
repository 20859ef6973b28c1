"""HOW values are served: HTTP in front, tiers behind, versions chosen from the catalog."""
