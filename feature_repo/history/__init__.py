"""Values as they were known: from entity rows to columns of features, point-in-time correct."""
