"""A response of JSON text that is written already."""

from collections.abc import Mapping

from starlette.responses import Response

_CONTENT_TYPE = (b"content-type", b"application/json")


class JsonText(Response):
    """
    Starlette's response, without its search for headers that it would add.

    Args:
        content: The text.
        headers: Further headers.
    """

    media_type = "application/json"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Put the headers together."""
        length = (b"content-length", b"%d" % len(self.body))
        others = [(n.lower().encode(), v.encode("latin-1")) for n, v in (headers or {}).items()]
        self.raw_headers = [length, _CONTENT_TYPE, *others]
