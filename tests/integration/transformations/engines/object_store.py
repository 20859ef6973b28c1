"""As much of S3 as reading a bucket needs, over a folder."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@contextlib.contextmanager
def running_object_store(folder: Path) -> Iterator[str]:
    """
    Serve the folder's subfolders as buckets.

    Yields:
        What goes behind `s3://bucket/key?` so that pyarrow finds them.
    """

    class Handler(_Handler):
        root = folder

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            endpoint = f"127.0.0.1:{server.server_port}"
            yield f"scheme=http&region=eu-central-1&endpoint_override={endpoint}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path

    def do_HEAD(self) -> None:
        path = self._path()
        self._answer(200 if path.is_file() else 404, b"", length=_size(path))

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        path = self._path()
        if "list-type" in query:
            self._answer(200, _listing(path, query.get("prefix", [""])[0]))
        elif path.is_file():
            content = path.read_bytes()
            first, _, last = (
                self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            )
            part = content[int(first) : int(last) + 1 if last else None]
            self._answer(206, part, content_range=f"bytes {first}-{last}/{len(content)}")
        else:
            self._answer(404, b"")

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""

    def _path(self) -> Path:
        return self.root / unquote(urlsplit(self.path).path).strip("/")

    def _answer(
        self, status: int, body: bytes, *, length: int | None = None, content_range: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _listing(bucket: Path, prefix: str) -> bytes:
    keys = sorted(str(p.relative_to(bucket)) for p in bucket.rglob("*") if p.is_file())
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{_size(bucket / key)}</Size></Contents>"
        for key in keys
        if key.startswith(prefix)
    )
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return (
        f'<?xml version="1.0"?><ListBucketResult xmlns="{namespace}">'
        f"<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
    ).encode()
