"""Load source data: read files, check every row, and merge the good ones into the source tables."""
