"""What is printed is what was written."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from rich.table import Table
from rich.tree import Tree

from foundation.cli import console, error_console, run
from foundation.errors import ConfigurationError

TEXT = "of [events], [/] and [bold]:warning:"


def test_brackets_and_colons_are_nothing_but_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """In a line, a table, a tree and an error."""
    table = Table(TEXT, title=TEXT)
    table.add_row(TEXT)
    tree = Tree(TEXT)
    tree.add(TEXT)
    for printed in (TEXT, table, tree):
        console.print(printed)
    assert capsys.readouterr().out.count(TEXT) == 6
    error_console.print(TEXT)
    assert capsys.readouterr().err == f"{TEXT}\n"


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """Take back what an entry point does to the logs of the process."""
    root = logging.getLogger()
    handlers, level = root.handlers.copy(), root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level


@pytest.mark.usefixtures("logs_as_before")
def test_an_error_is_told_word_by_word(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do about it, and without a traceback."""

    def fail() -> None:
        raise ConfigurationError(TEXT, hint=TEXT)

    with pytest.raises(SystemExit) as ended:
        run(fail)
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"Error: {TEXT}\n{TEXT}\n"
