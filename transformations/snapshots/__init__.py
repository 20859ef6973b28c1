"""Daily snapshots: the value of every entity as it was known at a midnight, in Parquet files."""
