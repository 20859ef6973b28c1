"""The HTTP server around the application: where it listens, and how long it waits for clients."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Iterator
from functools import partial
from typing import cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from foundation.errors import ConfigurationError
from foundation.settings import Settings
from serving_gateway.departure import lingering_seconds
from serving_gateway.patience import PatientProtocol

_log = structlog.get_logger()


def server_config(
    app: ASGIApp | str, settings: Settings, *, host: str, port: int, workers: int = 1
) -> uvicorn.Config:
    """
    Return how uvicorn is to serve the gateway.

    Args:
        app: The application, or where to import a function from that returns it.
        settings: Say how long clients are waited for.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        workers: How many processes listen.

    Raises:
        ConfigurationError: It would serve whoever comes, from other machines too; or its
            certificate can't be used.
    """
    _check_exposure(settings, host)
    _check_certificate(settings)
    if settings.gateway_tls_certificate is None and not _is_loopback(host):
        _log.warning("gateway_not_encrypted", host=host)
    protocol = partial(PatientProtocol, patience_seconds=settings.request_read_timeout_seconds)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        workers=workers,
        factory=isinstance(app, str),
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        ssl_certfile=settings.gateway_tls_certificate,
        ssl_keyfile=settings.gateway_tls_key,
        access_log=False,
        log_config=None,  # as everybody's
        log_level="warning",
        server_header=False,
        # Or a request's log fields would show up with the next one of its connection.
        reset_contextvars=True,
        timeout_graceful_shutdown=settings.shutdown_timeout_seconds - lingering_seconds(settings),
    )


class GatewayServer(uvicorn.Server):
    """uvicorn's server; when told to stop, it exits with 0 instead of dying of the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that ask to stop, while serving."""
        with super().capture_signals():
            yield
            # uvicorn would raise them again.
            self._captured_signals.clear()


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


def _check_certificate(settings: Settings) -> None:
    if settings.gateway_tls_certificate is None or settings.gateway_tls_key is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.gateway_tls_certificate,
            settings.gateway_tls_key,
            password="",  # instead of asking for one at the terminal
        )
    except OSError as error:  # ssl.SSLError is one, too
        raise ConfigurationError(
            f"{settings.gateway_tls_certificate} and {settings.gateway_tls_key}: {error}",
            hint="FEATURE_STORE_GATEWAY_TLS_CERTIFICATE and FEATURE_STORE_GATEWAY_TLS_KEY must "
            "name PEM files: the certificate chain, and its private key without a password.",
        ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
