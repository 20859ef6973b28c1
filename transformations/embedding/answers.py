"""The lines that the embedding process reads and writes; pure."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from foundation.errors import ContractViolation
from transformations.embedding import VECTOR_LENGTH, Vectors

_HINT = (
    'A line {"texts": [...]} is answered by one line {"vectors": [[...], ...]}, '
    f"a vector of {VECTOR_LENGTH} finite numbers for each text."
)
_SHOWN_BYTES = 100


def request_line(texts: Sequence[str]) -> bytes:
    """Return the line that asks for the vectors of texts."""
    return json.dumps({"texts": list(texts)}).encode() + b"\n"


def parse_answer(line: bytes, *, count: int) -> Vectors:
    """
    Return the vectors of an answer.

    Args:
        line: The answer.
        count: How many texts were asked about.

    Returns:
        Finite numbers of shape (count, `VECTOR_LENGTH`).

    Raises:
        ContractViolation: The answer is something else; the message says what.
    """
    vectors = _vectors(line)
    if len(vectors) != count:
        raise _violation(f"{len(vectors)} vectors for {count} texts")
    for vector in vectors:
        if not isinstance(vector, list) or len(vector) != VECTOR_LENGTH:
            found = f"of {len(vector)} numbers" if isinstance(vector, list) else "that is no list"
            raise _violation(f"a vector {found} instead of {VECTOR_LENGTH}")
    if not all(type(item) in {int, float} for vector in vectors for item in vector):
        raise _violation("a vector of something else than numbers")
    numbers = _single_precision(vectors)
    if not np.isfinite(numbers).all():
        raise _violation("a number that is NaN, infinite or too large")
    return numbers


def _single_precision(vectors: list[list[float]]) -> Vectors:
    """Return vectors as an array, with infinity for what is too large."""
    try:
        exact = np.array(vectors, np.float64)
    except OverflowError:  # an integer of more than 308 digits
        return np.full((len(vectors), VECTOR_LENGTH), np.inf, np.float32)
    with np.errstate(over="ignore"):
        return exact.astype(np.float32)


def _vectors(line: bytes) -> list[Any]:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise _violation(f"no JSON: {line[:_SHOWN_BYTES]!r}") from error
    vectors = answer.get("vectors") if isinstance(answer, dict) else None
    if not isinstance(vectors, list):
        raise _violation(f"no list of vectors: {line[:_SHOWN_BYTES]!r}")
    return vectors


def _violation(found: str) -> ContractViolation:
    return ContractViolation(f"the embedding process answered {found}", hint=_HINT)
