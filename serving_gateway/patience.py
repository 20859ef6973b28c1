"""How long clients are waited for: while they send a request, and when the server must stop."""

import asyncio
from typing import Any, cast

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving_gateway.gathered_writes import GatheredWrites

_LONGEST_HEAD_BYTES = 65_536
_LAST_REQUEST_SECONDS = 0.5
_TOO_SLOW = (408, "Request Timeout", "the request did not arrive in time")
_TOO_LONG = (431, "Request Header Fields Too Large", "the request's head is too long")


class PatientProtocol(HttpToolsProtocol):
    """
    uvicorn's HTTP protocol, with a limit to how long a request may take to arrive, and its head be.

    A request that comes in one piece, as most do, costs no timer.

    Args:
        patience_seconds: How long a connection may take to send a whole request.
    """

    def __init__(self, *args: Any, patience_seconds: float, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._patience_seconds = patience_seconds
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._expects_head = True
        self._is_whole = False
        self._is_last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        gathered = GatheredWrites(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", gathered))
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; wait for the rest if there is one."""
        super().data_received(data)
        if self._expects_head:
            self._head_bytes += len(data)
            if self._head_bytes > _LONGEST_HEAD_BYTES:
                self._give_up(*_TOO_LONG)
        if self._is_whole and self.cycle is not None and not self.cycle.response_complete:
            self._rest()
        elif self._deadline is None and not self.transport.is_closing():
            self._wait()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._expects_head, self._head_bytes, self._is_whole = True, 0, False

    def on_headers_complete(self) -> None:
        """End a request's head."""
        self._expects_head = False
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End a request."""
        self._is_whole = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self.transport.write(_problem(400, "Bad Request", msg))
        self.transport.close()

    def shutdown(self) -> None:
        """
        Answer one more request, if it comes soon: it may be on its way already.

        uvicorn would close idle connections at once, and with them lose such requests.
        """
        self._is_last = True
        if self.cycle is not None and not self.cycle.response_complete:
            super().shutdown()
        elif self._is_whole or not self._head_bytes:
            self._rest()
            self._wait(_LAST_REQUEST_SECONDS)

    def _wait(self, seconds: float | None = None) -> None:
        self._deadline = self.loop.call_later(
            self._patience_seconds if seconds is None else seconds, self._give_up, *_TOO_SLOW
        )

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self, status: int, title: str, detail: str) -> None:
        """Say why, if the client can take it for an answer, and hang up."""
        self._rest()
        if self._is_listening():
            self.transport.write(_problem(status, title, detail))
        self.transport.close()

    def _is_listening(self) -> bool:
        """Whether a request is under way, and no byte of an answer sent."""
        if self._is_whole or self.transport.is_closing():
            return False
        if self._expects_head:
            return self._head_bytes > 0 and (self.cycle is None or self.cycle.response_complete)
        return not self.cycle.response_started


def _problem(status: int, title: str, detail: str) -> bytes:
    """Return an HTTP answer that is a problem document, after which the connection ends."""
    body = orjson.dumps(
        {"type": "about:blank", "title": title, "status": status, "detail": detail, "hint": ""}
    )
    head = (
        f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
