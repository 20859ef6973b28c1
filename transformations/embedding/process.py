"""
The embedding process: one JSON line of texts in, one JSON line of vectors out.

`{"texts": ["a", "b"]}` is answered by `{"vectors": [[...], [...]]}`, each vector of
`VECTOR_LENGTH` finite numbers. The process ends when its input does.
"""

import contextlib
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from foundation.errors import EmbeddingUnavailable
from foundation.settings import Settings
from transformations.embedding import VECTOR_LENGTH, Embed, Vectors, no_model
from transformations.embedding.answers import parse_answer, request_line
from transformations.embedding.pipes import Pipes, ProcessDied

# Enough to keep a model busy, few enough that an answer never takes long.
_BATCH_SIZE = 64
_PACKAGED = {"minilm": [sys.executable, "-m", "transformations.embedding.minilm"]}

# Called with the number of texts embedded so far, and of all.
Progress = Callable[[int, int], None]


class EmbeddingProcess:
    """
    Owns the process; one at a time, started when it is needed first.

    A process that dies is started again, once for each batch of texts. One that fails in any other
    way is ended, so that the next call finds a fresh one. Threads may share an instance; they take
    turns.

    Args:
        command: The program and its arguments.
        timeout_seconds: Limit of one answer; of the first, the start included.
        warm_timeout_seconds: Limit of the answers after the first; None: the same.
        progress: Told how far a call is.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        timeout_seconds: float,
        warm_timeout_seconds: float | None = None,
        progress: Progress = lambda _done, _total: None,
    ) -> None:
        self._command = command
        self._timeout_seconds = timeout_seconds
        self._warm_timeout_seconds = warm_timeout_seconds or timeout_seconds
        self._progress = progress
        self._pipes: Pipes | None = None
        self._turn = threading.Lock()
        self._is_closed = False

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts; see `Embed`."""
        vectors = np.empty((len(texts), VECTOR_LENGTH), np.float32)
        with self._turn:
            for start in range(0, len(texts), _BATCH_SIZE):
                batch = texts[start : start + _BATCH_SIZE]
                vectors[start : start + len(batch)] = self._embed(batch)
                self._progress(start + len(batch), len(texts))
        return vectors

    def close(self) -> None:
        """End the process, in the middle of a call if need be, which then fails like later ones."""
        self._is_closed = True
        if not self._turn.acquire(blocking=False):
            pipes = self._pipes
            if pipes is not None:
                pipes.kill()
            self._turn.acquire()
        self._end()
        self._turn.release()

    def _embed(self, texts: Sequence[str]) -> Vectors:
        request = request_line(texts)
        try:
            return parse_answer(self._answer(request), count=len(texts))
        except BaseException:
            self._end()  # what it still answers would be taken for the next answer
            raise

    def _answer(self, request: bytes) -> bytes:
        try:
            return self._exchange(request)
        except ProcessDied:
            self._end()
            return self._exchange(request)

    def _exchange(self, request: bytes) -> bytes:
        if self._pipes is None and not self._is_closed:
            self._pipes = Pipes(self._command)
        # Whoever closed it meanwhile may not have seen the process that has just been started.
        if self._pipes is None or self._is_closed:
            raise EmbeddingUnavailable("the embedding process has been closed")
        is_warm = self._pipes.has_answered
        limit = self._warm_timeout_seconds if is_warm else self._timeout_seconds
        return self._pipes.exchange(request, timeout_seconds=limit)

    def _end(self) -> None:
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None


@contextlib.contextmanager
def open_embedder(
    settings: Settings,
    *,
    warm_timeout_seconds: float | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Iterator[Embed]:
    """
    Yield the configured model; leaving the block ends its process, if it was ever started.

    Args:
        settings: Name the command.
        warm_timeout_seconds: Limit of the answers after the first, the start of the process being
            over; None: that of all.
        progress: Told how far a call is.
    """
    if settings.embedding_command is None:
        yield no_model
        return
    command = _PACKAGED.get(settings.embedding_command) or shlex.split(settings.embedding_command)
    process = EmbeddingProcess(
        command,
        timeout_seconds=settings.embedding_timeout_seconds,
        warm_timeout_seconds=warm_timeout_seconds,
        progress=progress,
    )
    try:
        yield process
    finally:
        process.close()
