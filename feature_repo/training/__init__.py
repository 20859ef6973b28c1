"""Training sets: built from exact versions, rebuilt to the byte, looked over for leaks."""
