"""`python -m serving_gateway`: run the gateway."""

import json
from typing import Annotated

import typer
import uvicorn

from foundation.cli import console, new_app, run
from foundation.settings import load_settings
from serving_gateway.app import create_app
from serving_gateway.auth import commands as key_commands
from serving_gateway.server import server_config

app = new_app("HOW values are served: run the gateway.")
_KEYS_NEEDED = (
    "Callers need an API key: "
    "[bold]python -m serving_gateway keys create --name me --scope read[/]\n"
    "Send it as `Authorization: Bearer fs_...`; in a browser it is the password."
)
app.add_typer(key_commands.app, name="keys")


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
    config = server_config(
        create_app(settings),
        settings,
        host=host or settings.gateway_host,
        port=port or settings.gateway_port,
    )
    scheme = "https" if config.is_ssl else "http"
    console.print(
        f"Gateway on {scheme}://{config.host}:{config.port}, its documentation under /docs\n"
        + (_KEYS_NEEDED if settings.authentication == "on" else "Authentication is off."),
        highlight=False,
    )
    uvicorn.Server(config).run()


@app.command()
def openapi() -> None:
    """Print the OpenAPI document, for generating clients."""
    typer.echo(json.dumps(create_app(load_settings()).openapi(), indent=2))


def main() -> None:
    """Run the command line."""
    run(app)
