"""What is printed is what was written."""

import pytest
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


def test_an_error_is_told_word_by_word(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do about it, and without a traceback."""

    def fail() -> None:
        raise ConfigurationError(TEXT, hint=TEXT)

    with pytest.raises(SystemExit) as ended:
        run(fail)
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"Error: {TEXT}\n{TEXT}\n"
