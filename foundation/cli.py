"""What the command lines share: one console, and errors on one screen instead of a traceback."""

import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import TextIO

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from foundation.errors import ConfigurationError, FeatureStoreError
from foundation.logs import configure_logs
from foundation.settings import load_settings

# In a file or a pipe nothing says how wide the output may be; 80 columns would cut the tables up.
_WIDTH_OF_PIPES = 140


def _console(stream: TextIO, *, stderr: bool = False) -> Console:
    # What is printed was written by many hands: brackets and colons are nothing but themselves, and
    # what is to be colored is a rich.text.Text.
    width = None if stream.isatty() else _WIDTH_OF_PIPES
    return Console(stderr=stderr, width=width, markup=False, emoji=False)


console = _console(sys.stdout)
error_console = _console(sys.stderr, stderr=True)


def new_app(help_text: str) -> typer.Typer:
    """Return a command line whose bare call shows its help."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_show_locals=False,  # locals may hold secrets
    )


def plain_text(*printed: RenderableType) -> str:
    """Return what would be printed, without colors."""
    text = StringIO()
    Console(file=text, width=_WIDTH_OF_PIPES, markup=False, emoji=False).print(*printed)
    return text.getvalue()


def write_file(text: str, path: Path, *, option: str) -> None:
    """
    Write what somebody wants in a file, and say so.

    Args:
        text: Its content.
        path: Where; it is replaced if it is there.
        option: By which it was asked for.

    Raises:
        ConfigurationError: There it can't be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{option}: {path} can't be written: {error.strerror}") from error
    console.print(f"Wrote {path}", highlight=False)


def run(app: Callable[[], object]) -> None:
    """Run a command line; of our errors, print what is wrong and what to do, and exit with 1."""
    try:
        configure_logs(load_settings())
        app()
    except FeatureStoreError as error:
        error_console.print(Text.assemble(("Error:", "bold red"), f" {error.message}"))
        if error.hint:
            error_console.print(error.hint, highlight=False)
        sys.exit(1)
