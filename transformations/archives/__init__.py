"""The archive: all values of the months that PostgreSQL has dropped, in Parquet files."""
