"""The registry against real stores."""
