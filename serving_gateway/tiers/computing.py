"""What computations on demand work with: the model, and threads."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from foundation.settings import Settings
from serving_gateway.threads import Threads
from transformations.embedding import Embed
from transformations.embedding.process import open_embedder

_COMPUTING = 4
_PLACES_TO_COMPUTE = 64
# The model takes one call at a time, and 10 ms or more for each: who comes later than that many
# others would wait longer than requests do.
_PLACES_TO_EMBED = 8


@dataclass(frozen=True)
class Computing:
    """
    The model and the threads of a gateway.

    Attributes:
        embed: Turns texts into vectors; may block.
        threads: For what takes the processor.
        embedding_threads: For what waits for the model: one that hangs must not hold up the others.
    """

    embed: Embed
    threads: Threads
    embedding_threads: Threads


@contextlib.contextmanager
def open_computing(settings: Settings, *, warm_timeout_seconds: float) -> Iterator[Computing]:
    """
    Yield the model and threads; leaving the block ends what is under way.

    Args:
        settings: Name the model.
        warm_timeout_seconds: Limit of the model's answers, once it has started.
    """
    with contextlib.ExitStack() as stack:
        threads = Threads("computing", count=_COMPUTING, places=_PLACES_TO_COMPUTE)
        stack.callback(threads.close)
        embedding_threads = Threads("embedding", count=1, places=_PLACES_TO_EMBED)
        stack.callback(embedding_threads.close)
        embed = stack.enter_context(
            open_embedder(settings, warm_timeout_seconds=warm_timeout_seconds)
        )
        yield Computing(embed, threads, embedding_threads)
