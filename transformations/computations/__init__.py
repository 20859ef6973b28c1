"""
Pure expressions that compute features: tables in, one row an entity out.

Each module is named by the `computation` of a feature version and has one function,
`compute(*, <source tables>, as_of, <parameters>)`. It returns the join keys and either
`feature_value`, or, for a map, the two arrays `map_keys` and `map_values`: maps are spelled
differently by every engine, arrays are not. The event timestamp of every row is `as_of`. Only what
was there at `as_of` counts, so the same `as_of` always gives the same values.
"""
