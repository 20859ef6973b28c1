"""`make demo`: the whole path on one machine, from raw events to a ranked answer."""
