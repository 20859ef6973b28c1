"""`plan`: what applying the definitions would change, and whether it may."""

# ruff: noqa: PLC0415 - Ibis takes a while, which `--help` doesn't need
import json
from enum import StrEnum
from typing import Annotated

import typer

from foundation import clock
from foundation.cli import console
from foundation.settings import load_settings


class Format(StrEnum):
    """What a plan is printed as."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def plan(
    *,
    output: Annotated[
        Format, typer.Option("--format", help="What to print; Markdown is for a pull request.")
    ] = Format.TABLE,
) -> None:
    """
    Compare the definitions with what is deployed: added, changed, retired, removed.

    A published version does not change: a new type or schema asks for a new MAJOR, a new
    computation for a MINOR, a new default, range or tolerance for a PATCH. Exit code 2 if something
    is not as it must be; `feast apply` refuses the same.
    """
    from feature_repo.registry.catalog import read_catalog
    from feature_repo.registry.deployment import current_plan, read_repository
    from feature_repo.registry.plan_report import plan_markdown, plan_record, plan_table

    now, catalog = clock.now(), read_catalog()
    found = current_plan(load_settings(), read_repository(catalog, now=now), catalog, now=now)
    if output is Format.JSON:
        console.print_json(json.dumps(plan_record(found)))
    elif output is Format.MARKDOWN:
        typer.echo(plan_markdown(found), nl=False)
    else:
        is_empty = not found.changes and not found.services
        console.print("Nothing changes." if is_empty else plan_table(found))
        for note in found.notes:
            console.print(note, highlight=False)
    if found.violations:
        raise typer.Exit(2)
