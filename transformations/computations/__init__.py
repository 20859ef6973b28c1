"""
Pure computations of features: tables in, one row an entity out; no I/O.

Each module is named by the `computation` of a feature version. Most have one function,
`compute(*, <tables>, as_of, <parameters>)`, that returns an Ibis expression of the join keys and
`feature_value`, or, for a map, the two arrays `map_keys` and `map_values`: maps are spelled
differently by every engine, arrays are not.

A model has two: `extract(*, <tables>, as_of, <parameters>)`, the expression of what it learns from,
and `fit(extracted, *, as_of, <parameters>)`, which takes those rows as an Arrow table and returns a
`Fitted`, with values for every feature of its job. A `fit` with a parameter `embed` is given the
configured `transformations.embedding.Embed`.

A module may also say how values are computed on demand: `FILTERABLE`, `statement` or `combine`; see
`transformations.on_demand`.

Tables are the source tables and, named by their feature, the known values of dependencies (join
keys and `feature_value`). The event timestamp of every row is `as_of`. Only what was there at
`as_of` counts, so the same `as_of` always gives the same values.
"""
