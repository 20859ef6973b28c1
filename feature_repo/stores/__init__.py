"""Where values live: key and value encoding, the Feast plugins, and writes to both stores."""
