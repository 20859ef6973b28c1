"""
A sample of what was served, on disk, to be held against what training is given.

One JSON object a line, one file an hour and process; docs/training.md says what a line holds.
"""

import asyncio
import contextlib
import os
import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
_MOST_WAITING_BYTES = 64_000_000
# What a value costs besides its text: its entity's id, its place in lists.
_BYTES_PER_VALUE = 200
_PATTERN = "served-*.jsonl"


@dataclass(frozen=True)
class _Kept:
    """
    An answer that belongs to the sample.

    Attributes:
        at: When it was given.
        reading: What was read.
        value_count: How many values it has.
        byte_count: About how much memory they take.
    """

    at: datetime
    reading: Reading
    value_count: int
    byte_count: int


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
        self._waiting: asyncio.Queue[_Kept] = asyncio.Queue()
        self._waiting_bytes = 0
        # Process ids are the same in every container.
        self._writer = secrets.token_hex(4)
        self._file: Path | None = None

    def takes(self) -> bool:
        """Tell whether the answer to a request belongs to the sample; it needs timestamps then."""
        return self._share > 0 and random.random() < self._share  # noqa: S311 - no secret

    def offer(self, reading: Reading) -> None:
        """Take an answer, if the disk keeps up."""
        kept = _kept(clock.now(), reading)
        if self._waiting_bytes + kept.byte_count > _MOST_WAITING_BYTES:
            self._instruments.count_sampled("dropped", kept.value_count)
            return
        self._waiting_bytes += kept.byte_count
        self._waiting.put_nowait(kept)

    async def run(self) -> None:
        """Write what is offered, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                await self._write(batch)
            finally:
                for kept in batch:
                    self._waiting_bytes -= kept.byte_count
                    self._waiting.task_done()

    async def finish(self) -> None:
        """Wait until everything offered so far has been written, or could not be."""
        await self._waiting.join()

    async def _write(self, batch: Sequence[_Kept]) -> None:
        count = sum(kept.value_count for kept in batch)
        try:
            await asyncio.to_thread(self._append, batch)
        except OSError as error:
            self._instruments.count_sampled("failed", count)
            self._digest.add("served_sample_not_written", error=str(error))
        else:
            self._instruments.count_sampled("written", count)

    def _append(self, batch: Sequence[_Kept]) -> None:
        at = batch[0].at
        file = self._folder / f"served-{at:%Y%m%dT%H}-{self._writer}.jsonl"
        if file != self._file:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_old(at)
            file.touch()
            self._file = file
        size = file.stat().st_size
        try:
            with file.open("ab") as stream:
                stream.writelines(line for kept in batch for line in _lines(kept))
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(file, size)  # half a line would spoil the file
            raise

    def _remove_old(self, now: datetime) -> None:
        oldest = (now - self._kept_for).timestamp()
        for file in self._folder.glob(_PATTERN):
            # Another process may be at it, too.
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _kept(at: datetime, reading: Reading) -> _Kept:
    texts = [text for collected in reading.columns for text in collected.value_texts()]
    return _Kept(at, reading, len(texts), sum(map(len, texts)) + _BYTES_PER_VALUE * len(texts))


def _lines(kept: _Kept) -> Iterator[bytes]:
    for collected in kept.reading.columns:
        yield from _column_lines(kept.at, collected)


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
