"""`python -m serving_gateway`: run the gateway."""

import json
from typing import Annotated

import structlog
import typer
import uvicorn

from foundation.cli import console, new_app, run
from foundation.settings import Settings, load_settings
from serving_gateway.app import create_app
from serving_gateway.auth import commands as key_commands
from serving_gateway.server import GatewayServer, server_config
from serving_gateway.workers import WORKER_APP, serve_with_workers

_log = structlog.get_logger()

app = new_app("HOW values are served: run the gateway.")
_KEYS_NEEDED = (
    "Callers need an API key: "
    "`python -m serving_gateway keys create --name me --scope read`.\n"
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
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that serve [FEATURE_STORE_GATEWAY_WORKERS]."),
    ] = None,
) -> None:
    """
    Serve features over HTTP until told to stop; requests under way are answered first.

    One process serves on one core; with several --workers, one that dies is replaced, and /metrics
    of each tells the sums of all.

    /docs explains the routes, /metrics is for Prometheus, /ready tells whether values are served.
    """
    settings = load_settings()
    count = workers or settings.gateway_workers
    config = server_config(
        create_app(settings) if count == 1 else WORKER_APP,
        settings,
        host=host or settings.gateway_host,
        port=port or settings.gateway_port,
        workers=count,
    )
    _announce(settings, config)
    if count == 1:
        GatewayServer(config).run()
    elif not serve_with_workers(config):
        raise typer.Exit(1)


def _announce(settings: Settings, config: uvicorn.Config) -> None:
    if settings.log_format == "json":
        _log.info("gateway_started", host=config.host, port=config.port, encrypted=config.is_ssl)
        return
    scheme = "https" if config.is_ssl else "http"
    console.print(
        f"Gateway on {scheme}://{config.host}:{config.port}, its documentation under /docs\n"
        + (_KEYS_NEEDED if settings.authentication == "on" else "Authentication is off."),
        highlight=False,
    )


@app.command()
def openapi() -> None:
    """Print the OpenAPI document, for generating clients."""
    typer.echo(json.dumps(create_app(load_settings()).openapi(), indent=2))


def main() -> None:
    """Run the command line."""
    run(app)
