"""`python -m feature_repo load`, run as its users run it."""

import subprocess
import sys
from pathlib import Path

from foundation.postgres import Connection
from foundation.settings import Settings

PRODUCTS = (
    "product_id,title,description,category,price,created_at,updated_at\n"
    "p1,Tea,,,1.5,2024-01-01,2024-01-01\n"
    "p2,,,,1.5,2024-01-01,2024-01-01\n"
)


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "feature_repo", "load", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_rejected_rows_are_reported_and_no_failure(
    settings: Settings,  # noqa: ARG001 - empty stores
    postgres: Connection,
    tmp_path: Path,
) -> None:
    """The summary counts them, and the rejects file is named after the input."""
    (tmp_path / "products.csv").write_text(PRODUCTS)
    done = _run(tmp_path, "--products", "products.csv")
    assert done.returncode == 0, done.stderr
    assert "missing title" in done.stdout
    assert "products.rejects.csv" in done.stdout
    rejects = (tmp_path / "products.rejects.csv").read_text().splitlines()
    assert rejects[1].startswith("products.csv,3,missing title,")
    assert postgres.execute("SELECT product_id FROM products").fetchall() == [("p1",)]


def test_wrong_columns_are_one_screen_and_exit_code_1(
    settings: Settings,  # noqa: ARG001 - empty stores
    tmp_path: Path,
) -> None:
    """What is wrong, where, and what to do; no traceback."""
    (tmp_path / "events.csv").write_text("event_id\n1\n")
    done = _run(tmp_path, "--events", "events.csv")
    assert done.returncode == 1
    assert "events.csv: wrong columns: missing user_id" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_tells_the_exit_code(tmp_path: Path) -> None:
    """Who runs it in a script must know that rejected rows are no failure."""
    assert "the exit code is 0 all the same" in " ".join(_run(tmp_path, "--help").stdout.split())
