"""`dashboards`: what people look at in Grafana."""

# ruff: noqa: PLC0415 - the builders are an extra, which other commands don't need
from pathlib import Path
from typing import Annotated

import typer

from foundation.cli import console
from foundation.settings import PROJECT_ROOT

DASHBOARDS_FOLDER = PROJECT_ROOT / "deploy" / "grafana" / "dashboards"


def dashboards(
    *,
    out: Annotated[
        Path, typer.Option(help="The folder to write to, or to compare with.")
    ] = DASHBOARDS_FOLDER,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 2 if one is out of date.")
    ] = False,
) -> None:
    """
    Write the dashboards as JSON for Grafana: serving, features, jobs, quality and drift.

    Each asks which Prometheus to look at. It needs the extra `dashboards`.
    """
    from monitoring.dashboards.files import dashboard_texts

    texts = dashboard_texts()
    for name, text in texts.items():
        path = out / f"{name}.json"
        if not check:
            out.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            console.print(f"Wrote {path}", highlight=False)
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            console.print(f"{path.name} is out of date: run `python -m monitoring dashboards`.")
            raise typer.Exit(2)
