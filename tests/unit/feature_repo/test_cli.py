"""The command line itself is quick."""

import subprocess
import sys

SLOW = ("duckdb", "feast", "ibis", "matplotlib", "pandas", "scipy", "sqlalchemy")


def test_help_loads_nothing_slow() -> None:
    """A command imports what it needs when it is called."""
    loaded = f"import sys, feature_repo.cli; print(sys.modules.keys() & {set(SLOW)})"
    arguments = [sys.executable, "-c", loaded]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert result.stdout.strip() == "set()"
