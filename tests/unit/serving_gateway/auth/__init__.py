"""Authentication, without servers."""
