"""The source tables as computations see them, unbound from any engine."""

import ibis
import ibis.expr.types as ir

_TIMESTAMP = "timestamp('UTC')"

SCHEMAS = {
    "events": ibis.schema(
        {
            "event_id": "!string",
            "user_id": "!string",
            "product_id": "!string",
            "event_type": "!string",
            "event_timestamp": f"!{_TIMESTAMP}",
        }
    ),
    "products": ibis.schema(
        {
            "product_id": "!string",
            "title": "!string",
            "description": "string",
            "category": "string",
            "price": "float64",
            "created_at": f"!{_TIMESTAMP}",
            "updated_at": f"!{_TIMESTAMP}",
        }
    ),
    "users": ibis.schema({"user_id": "!string", "created_at": f"!{_TIMESTAMP}"}),
}

# Columns that PostgreSQL keeps up to date itself, and what it derives them from.
DERIVED_COLUMNS = {"products": {"search_text": ("title", "description")}}

# When a row of the table became known: what `as_of` cuts off.
EVENT_TIMES = {"events": "event_timestamp", "products": "created_at", "users": "created_at"}


def source_table(name: str) -> ir.Table:
    """Return a source table by name."""
    return ibis.table(SCHEMAS[name], name=name)
