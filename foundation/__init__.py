"""What every package stands on: errors, settings, logs, clock, connections, embedded servers."""
