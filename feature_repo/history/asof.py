"""The ASOF join: of each entity row, the newest value that counts for it. Nothing here reads."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

_MICROSECOND = timedelta(microseconds=1)


def newest(
    codes: pa.Array,
    instants: pa.Array,
    candidates: pa.Table,
    *,
    look_back: timedelta,
    known_then: bool,
) -> pa.Array:
    """
    Find the newest value of each row's entity that is not from after the row's instant.

    Args:
        codes: Of each row, its entity's code, an integer from 0; null: nothing is found.
        instants: Of each row; null: nothing is found.
        candidates: entity (its code), timestamp, and, for known_then, created; without nulls. Of
            an entity's values of one timestamp the one that was created last counts, or else the
            one that comes last.
        look_back: How much older than the row a value may be; exactly so old still counts.
        known_then: Whether a value counts only from when it was created.

    Returns:
        Of each row, the place of its value among the candidates; null where none is found.
    """
    entities, timestamps = candidates["entity"].to_numpy(), _microseconds(candidates["timestamp"])
    if known_then:
        created = _microseconds(candidates["created"])
        begins, values = _counting_when_known(entities, timestamps, created)
    else:
        values = _order(entities, timestamps)
        begins = timestamps[values]
    asked = pc.and_(codes.is_valid(), instants.is_valid())
    at = _microseconds(instants.filter(asked))
    starts, ends = _parts(entities, codes.filter(asked).to_numpy())
    counted = _last_places(begins, starts, ends, at)
    has_value = counted >= starts
    places = values[counted[has_value]]
    is_recent = at[has_value] - timestamps[places] <= look_back // _MICROSECOND
    found = np.full(len(codes), -1, np.int64)
    found[np.flatnonzero(asked)[has_value][is_recent]] = places[is_recent]
    return pa.array(found, mask=found < 0)


def _counting_when_known(
    entities: Codes, timestamps: Integers, created: Integers
) -> tuple[Integers, Integers]:
    """Return when values begin to count, by entity and time, and which is the newest by then."""
    # Each counts from when both it is about and it was written, until a newer one counts.
    begins = np.maximum(timestamps, created)
    order, by_age = _order(entities, begins), _order(entities, timestamps, created)
    ranks = np.empty_like(by_age)
    ranks[by_age] = np.arange(len(by_age))
    # An entity's ranks are all above those of the entities before it.
    return begins[order], by_age[np.maximum.accumulate(ranks[order])]


def _microseconds(instants: pa.Array | pa.ChunkedArray) -> Integers:
    integers: Integers = instants.cast(pa.int64()).to_numpy()
    return integers


def _order(entities: Codes, *keys: Integers) -> Integers:
    """Return the places by entity, then by keys, then as they come."""
    # In one chunk, and several times as fast as NumPy where they are in order already.
    columns = {str(number): key for number, key in enumerate((entities, *keys))}
    order = pc.sort_indices(pa.table(columns), sort_keys=[(name, "ascending") for name in columns])
    places: Integers = order.to_numpy().astype(np.int64)
    return places


def _parts(entities: Codes, codes: Codes) -> tuple[Integers, Integers]:
    """Return of each row where, in the order by entity, the values of its entity start and end."""
    counts = np.bincount(entities, minlength=codes.max(initial=-1) + 1)
    ends = np.cumsum(counts)
    return (ends - counts)[codes], ends[codes]


def _last_places(begins: Integers, starts: Integers, ends: Integers, at: Integers) -> Integers:
    """
    Return of each row the last place, from start to before end, that begins by its instant.

    Args:
        begins: Ascending from each start to its end.
        starts: Of each row.
        ends: Of each row.
        at: Of each row.

    Returns:
        One less than the start where none does.
    """
    found = starts - 1
    step = 1 << int(np.max(ends - starts, initial=0)).bit_length()
    while step := step >> 1:
        ahead = found + step
        is_within = ahead < ends
        goes_on = is_within & (begins[np.where(is_within, ahead, 0)] <= at)
        found = np.where(goes_on, ahead, found)
    return found
