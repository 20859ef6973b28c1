"""COPY brings every value to PostgreSQL as it was."""

from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from foundation.copy import copy_table
from foundation.postgres import connect
from foundation.settings import Settings

# PostgreSQL has no NUL in text, and years before 1 or after 9999 are not Python's.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
instants = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made UTC
    lambda instant: instant.replace(tzinfo=UTC)
)
rows_strategy = st.lists(
    st.tuples(
        st.none() | texts,
        st.none() | st.floats(allow_nan=False),
        st.none() | instants,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.booleans(),
    ),
    max_size=20,
)
NAMES = ["a_text", "a_float", "an_instant", "an_integer", "a_boolean"]
TYPES = [pa.string(), pa.float64(), pa.timestamp("us", "UTC"), pa.int64(), pa.bool_()]


@hypothesis_settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=rows_strategy)
def test_rows_arrive_as_they_were(servers: Settings, rows: list[tuple[object, ...]]) -> None:
    """Tabs, line ends, backslashes, nulls and extreme numbers survive, in their order."""
    columns = list(zip(*rows, strict=True)) or [()] * len(NAMES)
    table = pa.table([pa.array(c, t) for c, t in zip(columns, TYPES, strict=True)], names=NAMES)
    with connect(servers) as connection:
        connection.execute(
            """
            CREATE TEMP TABLE copied (position serial, a_text text, a_float float8,
                an_instant timestamptz, an_integer bigint, a_boolean boolean)
            """
        )
        assert copy_table(connection, "copied", table) == len(rows)
        found = connection.execute("SELECT * FROM copied ORDER BY position").fetchall()
    assert [row[1:] for row in found] == rows
