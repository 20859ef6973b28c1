"""The exporter without stores."""
