"""`plan`: what applying the definitions would change, and whether it may."""

# ruff: noqa: PLC0415 - Ibis takes a while, which `--help` doesn't need
import json
from typing import Annotated

import typer

from foundation import clock
from foundation.cli import console
from foundation.settings import load_settings


def plan(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
) -> None:
    """
    Compare the definitions with what is deployed: added, changed, retired, removed.

    A published version does not change: a new type or schema asks for a new MAJOR, a new
    computation for a MINOR, a new default, range or tolerance for a PATCH. Exit code 2 if something
    is not as it must be; `feast apply` refuses the same.
    """
    from feature_repo.registry.deployment import current_plan
    from feature_repo.registry.plan_report import plan_markdown, plan_record, plan_table

    found = current_plan(load_settings(), now=clock.now())
    if as_json:
        console.print_json(json.dumps(plan_record(found)))
    elif as_markdown:
        typer.echo(plan_markdown(found))
    elif found.changes or found.services:
        console.print(plan_table(found))
    else:
        console.print("Nothing changes.")
    if found.violations:
        raise typer.Exit(2)
