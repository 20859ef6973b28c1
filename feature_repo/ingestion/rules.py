"""What makes a row bad that can be seen in the row alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.ingestion.parsing import INSTANT, parse_instants, parse_numbers

_EVENT_TYPES = pa.array(["view", "add_to_cart", "purchase"])

# A mask, true for the rows at fault, and the reason to give.
_Rule = tuple[pa.BooleanArray, str]


@dataclass(frozen=True)
class Checked:
    """
    Rows with typed columns, and why each bad one is refused.

    Attributes:
        rows: text as strings, instants as timestamp[us, UTC], numbers as float64.
        reasons: One string a row, of the first rule it breaks; null where the row is good.
    """

    rows: pa.RecordBatch
    reasons: pa.StringArray


def check_events(rows: pa.RecordBatch, now: datetime) -> Checked:
    """Check events; one after `now` is refused."""
    instants = parse_instants(rows["event_timestamp"])
    types = pc.is_in(rows["event_type"], value_set=_EVENT_TYPES)
    return Checked(
        rows=_replaced(rows, event_timestamp=instants),
        reasons=_first_broken(
            _missing(rows, "event_id", "user_id", "product_id"),
            _holding_nul(rows, "event_id", "user_id", "product_id"),
            [(pc.invert(types), "unknown event_type")],
            _unparsed(rows, "event_timestamp", instants),
            [(pc.greater(instants, pa.scalar(now, INSTANT)), "future event_timestamp")],
        ),
    )


def check_products(rows: pa.RecordBatch, _now: datetime) -> Checked:
    """Check products; title, created_at and updated_at are required, the other columns are not."""
    prices = parse_numbers(rows["price"])
    created = parse_instants(rows["created_at"])
    updated = parse_instants(rows["updated_at"])
    return Checked(
        rows=_replaced(rows, price=prices, created_at=created, updated_at=updated),
        reasons=_first_broken(
            _missing(rows, "product_id", "title"),
            _holding_nul(rows, "product_id", "title", "description", "category"),
            [
                (pc.and_(pc.is_valid(rows["price"]), pc.is_null(prices)), "unparsable price"),
                (pc.less(prices, 0.0), "negative price"),
            ],
            _unparsed(rows, "created_at", created),
            _unparsed(rows, "updated_at", updated),
            [(pc.less(updated, created), "updated_at before created_at")],
        ),
    )


def _replaced(rows: pa.RecordBatch, **columns: pa.Array) -> pa.RecordBatch:
    for name, column in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def _missing(rows: pa.RecordBatch, *names: str) -> Sequence[_Rule]:
    return [
        (
            pc.fill_null(pc.equal(pc.utf8_trim_whitespace(rows[name]), ""), True),
            f"missing {name}",
        )
        for name in names
    ]


def _holding_nul(rows: pa.RecordBatch, *names: str) -> Sequence[_Rule]:
    # PostgreSQL's text can't hold it.
    return [(pc.match_substring(rows[name], "\0"), f"NUL character in {name}") for name in names]


def _unparsed(rows: pa.RecordBatch, name: str, instants: pa.Array) -> Sequence[_Rule]:
    return [
        (pc.is_null(rows[name]), f"missing {name}"),
        (pc.is_null(instants), f"unparsable {name}"),
    ]


def _first_broken(*rules: Sequence[_Rule]) -> pa.StringArray:
    return pc.coalesce(
        *(
            pc.if_else(pc.fill_null(at_fault, False), reason, pa.scalar(None, pa.string()))
            for group in rules
            for at_fault, reason in group
        )
    )
