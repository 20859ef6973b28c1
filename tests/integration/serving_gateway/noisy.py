"""
A gateway of which one route breaks, while libraries complain.

`python -m tests.integration.serving_gateway.noisy PORT`
"""

import logging
import sys
import warnings

from foundation.logs import configure_logs
from foundation.settings import load_settings
from serving_gateway.app import create_app
from serving_gateway.server import GatewayServer, server_config
from tests.integration.serving_gateway.light import read_nothing


def main(port: int) -> None:
    """Serve until told to stop."""
    settings = load_settings()
    configure_logs(settings)
    app = create_app(settings, catalog_reader=read_nothing)

    @app.get("/broken")
    async def broken() -> None:
        logging.getLogger("some.library").error("of two\nlines %s", "and more")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        raise RuntimeError("it breaks")

    GatewayServer(server_config(app, settings, host="127.0.0.1", port=port)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
