"""What every package stands on: errors, settings, logs, the clock, connections and embedded servers."""
