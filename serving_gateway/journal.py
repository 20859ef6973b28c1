"""Records on disk, written off the path of requests: JSON lines, one file an hour and process."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from serving_gateway.log_digest import LogDigest

# Beyond, a slow disk would fill the memory.
_MOST_WAITING_BYTES = 64_000_000


@dataclass(frozen=True)
class Entry:
    """
    Something to be written.

    Attributes:
        at: When it happened.
        lines: Gives its lines; called in a thread.
        count: How many records it counts as.
        byte_count: About how much memory it takes.
    """

    at: datetime
    lines: Callable[[], Iterable[bytes]]
    count: int
    byte_count: int


class Journal:
    """
    Writes entries to files that go after a while.

    Args:
        name: Of the journal: files are `<name>-<hour>-<process>.jsonl`.
        folder: Where they are.
        kept_for: For how long.
        count: Told how many records were `written`, `dropped` because too many waited, or `failed`.
        digest: Logs why they failed.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        kept_for: timedelta,
        *,
        count: Callable[[str, int], None],
        digest: LogDigest,
    ) -> None:
        self._name = name
        self._folder = folder
        self._kept_for = kept_for
        self._count = count
        self._digest = digest
        self._waiting: asyncio.Queue[Entry] = asyncio.Queue()
        self._waiting_bytes = 0
        # Process ids are the same in every container.
        self._writer = secrets.token_hex(4)
        self._file: Path | None = None

    def offer(self, entry: Entry) -> None:
        """Take an entry, if the disk keeps up."""
        if self._waiting_bytes + entry.byte_count > _MOST_WAITING_BYTES:
            self._count("dropped", entry.count)
            return
        self._waiting_bytes += entry.byte_count
        self._waiting.put_nowait(entry)

    async def run(self) -> None:
        """Write what is offered, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                await self._write(batch)
            finally:
                for entry in batch:
                    self._waiting_bytes -= entry.byte_count
                    self._waiting.task_done()

    async def finish(self) -> None:
        """Wait until everything offered so far has been written, or could not be."""
        await self._waiting.join()

    async def _write(self, batch: Sequence[Entry]) -> None:
        count = sum(entry.count for entry in batch)
        try:
            await asyncio.to_thread(self._append, batch)
        except OSError as error:
            self._count("failed", count)
            self._digest.add("journal_not_written", journal=self._name, error=str(error))
        else:
            self._count("written", count)

    def _append(self, batch: Sequence[Entry]) -> None:
        at = batch[0].at
        file = self._folder / f"{self._name}-{at:%Y%m%dT%H}-{self._writer}.jsonl"
        if file != self._file:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_old(at)
            file.touch()
            self._file = file
        size = file.stat().st_size
        try:
            with file.open("ab") as stream:
                stream.writelines(line for entry in batch for line in entry.lines())
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(file, size)  # half a line would spoil the file
            raise

    def _remove_old(self, now: datetime) -> None:
        oldest = (now - self._kept_for).timestamp()
        for file in self._folder.glob(f"{self._name}-*.jsonl"):
            # Another process may be at it, too.
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()
