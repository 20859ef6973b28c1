"""What monitoring says, without servers."""
