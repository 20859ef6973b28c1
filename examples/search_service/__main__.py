"""`python -m examples.search_service`: the service, in one of the modes of its migration."""

from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from examples.search_service.app import create_app
from foundation.cli import console, run
from foundation.settings import load_settings
from serving_gateway.client import ClientSettings, Mode


def main(
    *,
    mode: Annotated[Mode, typer.Option(help="How far popularity_score has come.")] = Mode.INLINE,
    gateway: Annotated[
        str, typer.Option(help="Address of the feature store.")
    ] = "http://127.0.0.1:8080",
    api_key: Annotated[
        str | None, typer.Option(envvar="SEARCH_SERVICE_API_KEY", help="Of the feature store.")
    ] = None,
    budget_seconds: Annotated[
        float, typer.Option(help="Longest that a search waits for the feature store.")
    ] = 1.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8090,
    report: Annotated[
        Path | None, typer.Option(help="File of the counts; by default in the data folder.")
    ] = None,
) -> None:
    """
    Serve `GET /search?q=...`: products by words of their titles, the popular ones first.

    Tables are those of `make demo`. Popularity is computed for each search, or read from the
    feature store, as the mode says; docs/migration.md goes through the modes.
    """
    settings = load_settings()
    file = report or settings.data_dir / "examples" / "search_service" / "parity.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    client = ClientSettings(api_key=api_key, budget_seconds=budget_seconds)
    app = create_app(settings, gateway, client, mode=lambda _: mode, report=file)
    console.print(f"Mode {mode}; counts go to {file}", highlight=False)
    uvicorn.run(app, host="127.0.0.1", port=port)


if __name__ == "__main__":
    run(lambda: typer.run(main))
