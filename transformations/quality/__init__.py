"""The quality gate: what goes into a computation, and what comes out, meets expectations."""
