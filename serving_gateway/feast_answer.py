"""
The JSON of an answer in the form of `feast serve`; pure.

A value has the type that Feast gives it: a number is never whole, for its client would take it for
an integer, and a vector's items are single-precision numbers written in double precision.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import orjson

from feature_repo.registry.metadata import FeatureType
from serving_gateway.feast_plan import EntityValue, FeastPlan
from serving_gateway.reading import DEFAULT, CollectedColumn, Reading

# What stands where no tier has a value: Feast knows no defaults.
NO_VALUE = b"null"

_PRESENT, _NOT_FOUND, _OUTSIDE_MAX_AGE = b'"PRESENT"', b'"NOT_FOUND"', b'"OUTSIDE_MAX_AGE"'
_NO_TIME = b'"1970-01-01T00:00:00Z"'
_WHOLE_NUMBER = re.compile(rb"[\[,]-?\d+[,\]]")
_WHOLE_ITEM = re.compile(rb'":\s*-?\d+\s*[,}]')

_Item = TypeVar("_Item")


def feast_answer(plan: FeastPlan, reading: Reading, *, has_views: bool) -> bytes:
    """
    Return the answer.

    Args:
        plan: What was asked.
        reading: What was found, a column for each of the plan's; `NO_VALUE` where nothing was.
        has_views: Whether to list the feature views. Feast adds its own version numbers, of which
            our views have none.
    """
    metadata: dict[str, object] = {
        "feature_names": [*plan.join_keys, *(column.name for column in plan.columns)]
    }
    if has_views:
        views = dict.fromkeys(column.column.feature.view_name for column in plan.columns)
        metadata["feature_view_metadata"] = [{"name": view} for view in views]
    results = [_join_key_result(values) for values in plan.join_keys.values()]
    for asked, collected in zip(plan.columns, reading.columns, strict=True):
        results.append(_feature_result(collected, asked.rows))
    return b'{"metadata":%b,"results":[%b]}' % (orjson.dumps(metadata), b",".join(results))


def _join_key_result(values: Sequence[EntityValue]) -> bytes:
    try:
        text = orjson.dumps(values)
    except orjson.JSONEncodeError:  # an integer of more than 64 bits
        text = json.dumps(values).encode()
    return _result(text, [_PRESENT] * len(values), [_NO_TIME] * len(values))


def _feature_result(collected: CollectedColumn, rows: Sequence[int] | None) -> bytes:
    statuses, times = _origins(collected)
    return _result(_values(collected, rows), _spread(statuses, rows), _spread(times, rows))


def _result(values: bytes, statuses: Sequence[bytes], times: Sequence[bytes]) -> bytes:
    return b'{"values":%b,"statuses":[%b],"event_timestamps":[%b]}' % (
        values,
        b",".join(statuses),
        b",".join(times),
    )


def _spread(items: Sequence[_Item], rows: Sequence[int] | None) -> Sequence[_Item]:
    return items if rows is None else [items[row] for row in rows]


def _origins(collected: CollectedColumn) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return the status and the event timestamp of each value."""
    count = len(collected.texts)
    statuses, times = [_NOT_FOUND] * count, [_NO_TIME] * count
    for part in collected.parts:
        if part.tier == DEFAULT:
            continue
        timestamps = part.timestamps or [None] * len(part.rows)
        shown = {timestamp: _time(timestamp) for timestamp in set(timestamps)}
        texts = map(shown.__getitem__, timestamps)
        if len(part.rows) == count:
            statuses, times = [_PRESENT] * count, list(texts)
        else:
            for row, text in zip(part.rows, texts, strict=True):
                statuses[row], times[row] = _PRESENT, text
        for row in part.stale_rows:
            statuses[row] = _OUTSIDE_MAX_AGE
    return statuses, times


def _time(timestamp: datetime | None) -> bytes:
    """Return a timestamp as protobuf writes it: with as few digits as will do."""
    if timestamp is None:
        return _NO_TIME
    fraction = timestamp.microsecond
    digits = "seconds" if not fraction else "microseconds" if fraction % 1_000 else "milliseconds"
    text = timestamp.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=digits)
    return b'"%bZ"' % text.encode()


def _values(collected: CollectedColumn, rows: Sequence[int] | None) -> bytes:
    texts = collected.value_texts()
    match collected.column.feature.feature_type:
        case FeatureType.FLOAT:
            texts = _converted(texts, _WHOLE_NUMBER, _with_decimals)
        case FeatureType.MAP:
            texts = _converted(texts, _WHOLE_ITEM, _with_decimal_items)
        case FeatureType.VECTOR:
            texts = _in_double_precision(texts)
        case FeatureType.STRING:
            pass
    return _array(_spread(texts, rows))


def _array(texts: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(texts)


def _converted(
    texts: Sequence[bytes], wanting: re.Pattern[bytes], convert: Callable[[bytes], bytes]
) -> Sequence[bytes]:
    """Convert texts if any of them wants it; most go into the answer as they are."""
    if wanting.search(_array(texts)) is None:
        return texts
    return [text if text == NO_VALUE else convert(text) for text in texts]


def _with_decimals(text: bytes) -> bytes:
    return orjson.dumps(float(text))


def _with_decimal_items(text: bytes) -> bytes:
    return orjson.dumps({name: float(number) for name, number in orjson.loads(text).items()})


def _in_double_precision(texts: Sequence[bytes]) -> list[bytes]:
    vectors = orjson.loads(_array(text for text in texts if text != NO_VALUE))
    wide = iter(np.array(vectors, np.float32).astype(np.float64))
    return [
        text if text == NO_VALUE else orjson.dumps(next(wide), option=orjson.OPT_SERIALIZE_NUMPY)
        for text in texts
    ]
