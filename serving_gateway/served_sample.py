"""
A sample of what was served, on disk, to be held against what training is given.

One JSON object a line, one file an hour and process; docs/training.md says what a line holds.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from feature_repo.stores.keys import key_values
from foundation import clock
from foundation.settings import Settings
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import CollectedColumn, Reading

# Beyond, a slow disk would fill the memory.
_MOST_WAITING_VALUES = 200_000
_PATTERN = "served-*.jsonl"


class ServedSample:
    """
    Keeps a share of the answers.

    Args:
        settings: Say which share, where, and how long.
        instruments: Count values that were kept, and that were not.
        digest: Logs why not.
    """

    def __init__(self, settings: Settings, instruments: Instruments, digest: LogDigest) -> None:
        self._share = settings.served_sample_share
        self._folder = settings.served_sample_path or settings.data_dir / "served"
        self._kept_for = timedelta(days=settings.served_sample_days)
        self._instruments = instruments
        self._digest = digest
        self._waiting: asyncio.Queue[tuple[datetime, Reading]] = asyncio.Queue()
        self._waiting_values = 0
        self._file: Path | None = None

    def takes(self) -> bool:
        """Tell whether the answer to a request belongs to the sample; it needs timestamps then."""
        return self._share > 0 and random.random() < self._share  # noqa: S311 - no secret

    def offer(self, reading: Reading) -> None:
        """Take an answer, if the disk keeps up."""
        count = _value_count(reading)
        if self._waiting_values + count > _MOST_WAITING_VALUES:
            self._instruments.count_sampled("dropped", count)
            return
        self._waiting_values += count
        self._waiting.put_nowait((clock.now(), reading))

    async def run(self) -> None:
        """Write what is offered, until cancelled."""
        while True:
            await self._write(*await self._waiting.get())

    async def finish(self) -> None:
        """Write what waits still."""
        while not self._waiting.empty():
            await self._write(*self._waiting.get_nowait())

    async def _write(self, at: datetime, reading: Reading) -> None:
        count = _value_count(reading)
        self._waiting_values -= count
        try:
            await asyncio.to_thread(self._append, at, reading)
        except OSError as error:
            self._instruments.count_sampled("failed", count)
            self._digest.add("served_sample_not_written", error=str(error))
        else:
            self._instruments.count_sampled("written", count)

    def _append(self, at: datetime, reading: Reading) -> None:
        file = self._folder / f"served-{at:%Y%m%dT%H}-{os.getpid()}.jsonl"
        if file != self._file:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_old(at)
            self._file = file
        lines = [line for column in reading.columns for line in _lines(at, column)]
        with file.open("ab") as stream:
            stream.write(b"".join(lines))

    def _remove_old(self, now: datetime) -> None:
        oldest = (now - self._kept_for).timestamp()
        for file in self._folder.glob(_PATTERN):
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)


def _value_count(reading: Reading) -> int:
    return sum(len(column.texts) for column in reading.columns)


def _lines(at: datetime, collected: CollectedColumn) -> Iterator[bytes]:
    """Yield a line a value of which somebody could say later what it should have been."""
    column = collected.column
    if not column.is_known or column.query_embedding is not None:
        return
    texts = collected.value_texts()
    for part in collected.parts:
        for row, timestamp in zip(
            part.rows, part.timestamps or [None] * len(part.rows), strict=True
        ):
            yield orjson.dumps(
                {
                    "answered_at": at,
                    "feature": column.feature.reference,
                    "keys": dict(
                        zip(
                            column.feature.join_keys,
                            key_values(column.entity_ids[row]),
                            strict=True,
                        )
                    ),
                    "value": orjson.Fragment(texts[row]),
                    "served_from": part.tier,
                    "event_timestamp": timestamp,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
