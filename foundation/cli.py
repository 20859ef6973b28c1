"""What the command lines share: one console, and errors on one screen instead of a traceback."""

import sys
from collections.abc import Callable

import typer
from rich.console import Console
from rich.markup import escape

from foundation.errors import FeatureStoreError
from foundation.logs import configure_logs
from foundation.settings import load_settings

# In a file or a pipe nothing says how wide the output may be; 80 columns would cut the tables up.
_WIDTH_OF_PIPES = 140
console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_PIPES)
error_console = Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH_OF_PIPES)


def new_app(help_text: str) -> typer.Typer:
    """Return a command line whose bare call shows its help."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_show_locals=False,  # locals may hold secrets
    )


def run(app: Callable[[], object]) -> None:
    """Run a command line; of our errors, print what is wrong and what to do, and exit with 1."""
    try:
        configure_logs(load_settings())
        app()
    except FeatureStoreError as error:
        error_console.print(f"[bold red]Error:[/] {escape(error.message)}", highlight=False)
        if error.hint:
            error_console.print(escape(error.hint), highlight=False)
        sys.exit(1)
