"""Where values live: key and value encoding, the online store plugin, and writes to both stores."""
