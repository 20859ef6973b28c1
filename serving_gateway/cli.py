"""`python -m serving_gateway`: run the gateway."""

import json
from typing import Annotated

import typer
import uvicorn

from foundation.cli import console, new_app, run
from foundation.settings import load_settings
from serving_gateway.app import create_app

app = new_app("HOW values are served: run the gateway.")


@app.command()
def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on [FEATURE_STORE_GATEWAY_HOST].")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on [FEATURE_STORE_GATEWAY_PORT].")
    ] = None,
) -> None:
    """
    Serve features over HTTP until told to stop; requests under way are answered first.

    /docs explains the routes, /metrics is for Prometheus, /ready tells whether values are served.
    """
    settings = load_settings()
    bound_host, bound_port = host or settings.gateway_host, port or settings.gateway_port
    console.print(f"Gateway on http://{bound_host}:{bound_port}, its documentation under /docs")
    uvicorn.run(
        create_app(settings),
        host=bound_host,
        port=bound_port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


@app.command()
def openapi() -> None:
    """Print the OpenAPI document, for generating clients."""
    typer.echo(json.dumps(create_app(load_settings()).openapi(), indent=2))


def main() -> None:
    """Run the command line."""
    run(app)
