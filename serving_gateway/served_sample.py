"""
A sample of what was served, on disk, to be held against what training is given.

One JSON object a line; docs/training.md says what a line holds.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import orjson

from feature_repo.stores.keys import key_values
from foundation import clock
from foundation.settings import Settings
from serving_gateway.instrumentation import Instruments
from serving_gateway.journal import Entry, Journal
from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import CollectedColumn, Reading

# What a value costs besides its text: its entity's id, its place in lists.
_BYTES_PER_VALUE = 200


class ServedSample:
    """
    Keeps a share of the answers.

    Args:
        settings: Say which share, where, and how long.
        instruments: Count values that were kept, and that were not.
        digest: Logs why not.

    Attributes:
        journal: Writes them.
    """

    needs_times = True

    def __init__(self, settings: Settings, instruments: Instruments, digest: LogDigest) -> None:
        self._share = settings.served_sample_share
        self.journal = Journal(
            "served",
            settings.served_sample_path or settings.data_dir / "served",
            timedelta(days=settings.served_sample_days),
            count=instruments.count_sampled,
            digest=digest,
        )

    def takes(self) -> bool:
        """Tell whether the answer to a request belongs to the sample."""
        return self._share > 0 and random.random() < self._share  # noqa: S311 - no secret

    def offer(self, reading: Reading) -> None:
        """Take an answer, if the disk keeps up."""
        now = clock.now()
        texts = [text for collected in reading.columns for text in collected.value_texts()]
        byte_count = sum(map(len, texts)) + _BYTES_PER_VALUE * len(texts)
        self.journal.offer(Entry(now, partial(_lines, now, reading), len(texts), byte_count))


def _lines(at: datetime, reading: Reading) -> Iterator[bytes]:
    for collected in reading.columns:
        yield from _column_lines(at, collected)


def _column_lines(at: datetime, collected: CollectedColumn) -> Iterator[bytes]:
    """Yield a line a value of which somebody could say later what it should have been."""
    column = collected.column
    if not column.is_known or column.query_embedding is not None:
        return
    texts = collected.value_texts()
    for part in collected.parts:
        timestamps = part.timestamps or [None] * len(part.rows)
        for row, timestamp in zip(part.rows, timestamps, strict=True):
            keys = key_values(column.entity_ids[row])
            yield orjson.dumps(
                {
                    "answered_at": at,
                    "feature": column.feature.reference,
                    "keys": dict(zip(column.feature.join_keys, keys, strict=True)),
                    "value": orjson.Fragment(texts[row]),
                    "served_from": part.tier,
                    "event_timestamp": timestamp,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
