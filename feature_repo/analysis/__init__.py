"""Looking at features: how their values are distributed, and how that changes."""
