"""WHO may ask: API keys and tokens, what they allow, and how often."""
