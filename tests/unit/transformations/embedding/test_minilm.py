"""The packaged model speaks the protocol; here without the model."""

import io
import json

from transformations.embedding.minilm import answer_lines


def test_each_line_is_answered_by_a_line() -> None:
    """Requests are answered in order, until the input ends."""
    requests = [json.dumps({"texts": texts}) + "\n" for texts in (["a", "bb"], ["ccc"], [])]
    answers = io.StringIO()
    answer_lines(requests, answers, lambda texts: [[float(len(text))] for text in texts])
    lines = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert [line["vectors"] for line in lines] == [[[1.0], [2.0]], [[3.0]], []]
