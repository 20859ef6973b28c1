"""`docs`: the canonical list of features, as a document."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.registry.feature_pages import features_markdown
from feature_repo.registry.gather import gather_features, gather_services
from feature_repo.registry.inventory import Inventory
from feature_repo.services import SERVICES
from foundation.cli import console, write_file
from foundation.settings import PROJECT_ROOT

FEATURES_DOCUMENT = PROJECT_ROOT / "docs" / "features.md"


def docs(
    *,
    out: Annotated[Path, typer.Option(help="File to write.")] = FEATURES_DOCUMENT,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 2 if the file is out of date.")
    ] = False,
) -> None:
    """Write the list of all features, with their metadata, versions and users, as Markdown."""
    features = gather_features()
    gather_services(features)  # which names what they name that is not defined
    text = features_markdown(Inventory.of_definitions(features, SERVICES))
    if not check:
        write_file(text, out, option="--out")
    elif not out.exists() or out.read_text(encoding="utf-8") != text:
        console.print(f"{out.name} is out of date: run `python -m feature_repo docs`.")
        raise typer.Exit(2)
