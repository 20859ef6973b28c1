"""Queries of one request: what a computation on demand asks of PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Statement:
    """
    One query, apart from whoever executes it.

    Attributes:
        text: SQL with the placeholders $1, $2 and so on.
        parameters: Their values.
        schema: Names and types of the result's columns, in order.
    """

    text: str
    parameters: Sequence[object]
    schema: pa.Schema
