"""The HTTP server around the application: where it listens, and how long it waits for clients."""

import asyncio
import ipaddress
from collections.abc import Callable
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from foundation.errors import ConfigurationError
from foundation.settings import Settings
from serving_gateway.slow_clients import PatientProtocol


def server_config(
    app: ASGIApp | Callable[[], ASGIApp] | str, settings: Settings, *, host: str, port: int
) -> uvicorn.Config:
    """
    Return how uvicorn is to serve the gateway.

    Args:
        app: The application, or where to import a function from that returns it.
        settings: Say how long clients are waited for.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.

    Raises:
        ConfigurationError: It would serve whoever comes, from other machines too.
    """
    _check_exposure(settings, host)
    protocol = partial(PatientProtocol, patience_seconds=settings.request_read_timeout_seconds)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
    )


def _check_exposure(settings: Settings, host: str) -> None:
    if (
        settings.authentication == "on"
        or settings.unauthenticated_beyond_loopback
        or _is_loopback(host)
    ):
        return
    raise ConfigurationError(
        f"with authentication off, the gateway would serve whoever can reach {host}",
        hint="Set FEATURE_STORE_AUTHENTICATION to on, listen on 127.0.0.1, or say that this is "
        "wanted: FEATURE_STORE_UNAUTHENTICATED_BEYOND_LOOPBACK=true.",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
