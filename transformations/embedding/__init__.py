"""Texts as vectors, by a process that a setting names."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from foundation.errors import ConfigurationError

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]

VECTOR_LENGTH = 384


class Embed(Protocol):
    """Turns texts into vectors."""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """
        Return the vectors of texts, in their order.

        Returns:
            Finite numbers of shape (texts, `VECTOR_LENGTH`).

        Raises:
            ConfigurationError: No model is configured, or its command can't be started.
            ContractViolation: The model's answer is not what was promised.
            EmbeddingUnavailable: The model died, or did not answer in time.
        """


def no_model(texts: Sequence[str]) -> Vectors:  # noqa: ARG001 - whatever they are
    """
    Refuse to embed: what stands in for a model that nobody has configured.

    Raises:
        ConfigurationError: Always.
    """
    raise ConfigurationError(
        "there is no embedding model",
        hint="FEATURE_STORE_EMBEDDING_COMMAND names one: `minilm`, or a command of your own "
        "(docs/adr/0008-embeddings.md).",
    )
