"""
A gateway in processes of its own that starts quickly: it does not read Feast's registry.

`python -m tests.integration.serving_gateway.light PORT WORKERS`
"""

import sys

from starlette.types import ASGIApp

from feature_repo.registry.catalog import Catalog
from foundation.settings import load_settings
from serving_gateway.app import create_app
from serving_gateway.server import GatewayServer, server_config
from serving_gateway.workers import serve_with_workers, worker_app


def read_nothing() -> Catalog:
    """Return an empty catalog."""
    return Catalog(features=[], services={})


def light_worker() -> ASGIApp:
    """Return the application of a worker."""
    return worker_app(catalog_reader=read_nothing)


def main(port: int, workers: int) -> None:
    """Serve until told to stop."""
    settings = load_settings()
    alone = workers == 1
    app = (
        create_app(settings, catalog_reader=read_nothing)
        if alone
        else f"{__spec__.name}:light_worker"
    )
    config = server_config(app, settings, host="127.0.0.1", port=port, workers=workers)
    if alone:
        GatewayServer(config).run()
    else:
        serve_with_workers(config)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
