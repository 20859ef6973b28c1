"""Commands, without stores."""
