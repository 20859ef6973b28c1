"""Small embedding processes, written as scripts by the tests that run them."""

import sys
import textwrap
from pathlib import Path

# The vector of a text is its length, and then its bytes; whatever follows is 0.
_GOOD = """
    import json, sys
    def vector(text):
        numbers = [float(len(text)), *map(float, text.encode())][:384]
        return numbers + [0.0] * (384 - len(numbers))
    def answer(line):
        print(json.dumps({"vectors": list(map(vector, json.loads(line)["texts"]))}), flush=True)
"""
GOOD = "for line in sys.stdin: answer(line)"


def script(folder: Path, body: str) -> list[str]:
    """Return the command of a process whose body may call `answer(line)`."""
    path = folder / "model.py"
    path.write_text(textwrap.dedent(_GOOD) + textwrap.dedent(body))
    return [sys.executable, str(path)]
