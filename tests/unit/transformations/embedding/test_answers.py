"""An answer that is not what was promised is refused, and the message says why."""

import json
from typing import Any

import pytest

from foundation.errors import ContractViolation
from transformations.embedding import VECTOR_LENGTH
from transformations.embedding.answers import parse_answer, request_line

GOOD = [0.5] * VECTOR_LENGTH


def _line(vectors: Any) -> bytes:  # noqa: ANN401 - whatever a process may write
    return json.dumps({"vectors": vectors}).encode()


def test_a_request_is_one_line_whatever_the_texts() -> None:
    """Line breaks within texts don't end the line."""
    line = request_line(["a\nb", "é\u2028"])
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"texts": ["a\nb", "é\u2028"]}


def test_vectors_come_in_single_precision() -> None:
    """One row a text; whole numbers are numbers too."""
    vectors = parse_answer(_line([GOOD, [1] * VECTOR_LENGTH]), count=2)
    assert vectors.shape == (2, VECTOR_LENGTH)
    assert vectors.dtype == "float32"
    assert vectors[1].tolist() == [1.0] * VECTOR_LENGTH


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"Loading model ...", "no JSON: b'Loading model"),
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no list of vectors"),
        (b'{"error": "no"}', "no list of vectors"),
        (_line([GOOD]), "1 vectors for 2 texts"),
        (_line([GOOD, GOOD[1:]]), "a vector of 383 numbers instead of 384"),
        (_line([GOOD, 1.0]), "a vector that is no list instead of 384"),
        (_line([GOOD, [*GOOD[1:], "1.0"]]), "something else than numbers"),
        (_line([GOOD, [*GOOD[1:], None]]), "something else than numbers"),
        (_line([GOOD, [*GOOD[1:], True]]), "something else than numbers"),
        (_line([GOOD, [*GOOD[1:], float("nan")]]), "NaN, infinite or too large"),
        (_line([GOOD, [*GOOD[1:], float("inf")]]), "NaN, infinite or too large"),
        (_line([GOOD, [*GOOD[1:], 1e300]]), "NaN, infinite or too large"),
        (_line([GOOD, [*GOOD[1:], 10**400]]), "NaN, infinite or too large"),
    ],
)
def test_other_answers_are_refused(line: bytes, message: str) -> None:
    """What is wrong, and what a line must be."""
    with pytest.raises(ContractViolation) as caught:
        parse_answer(line, count=2)
    assert message in caught.value.message
    assert "384 finite numbers" in caught.value.hint
