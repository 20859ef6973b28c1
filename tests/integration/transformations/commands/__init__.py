"""Commands, run on real stores."""
