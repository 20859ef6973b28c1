"""HOW values are computed: read, check, transform, check, write."""
