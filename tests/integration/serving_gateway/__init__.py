"""The gateway over HTTP and real stores."""
