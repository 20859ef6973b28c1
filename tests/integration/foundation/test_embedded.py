"""The embedded servers start, are attached to, stop, and lose nothing."""

from pathlib import Path

import psycopg
import pytest
import redis

from foundation import embedded
from foundation.endpoints import resolve_endpoints
from foundation.errors import StoreUnavailable
from foundation.postgres import connect
from foundation.settings import Settings


def test_servers_are_attached_to_and_lose_nothing(tmp_path: Path) -> None:
    """A second start finds the same servers; after stop and start the data are still there."""
    first = embedded.start(tmp_path)
    try:
        assert embedded.start(tmp_path) == first
        with psycopg.connect(first.postgres_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        client = redis.Redis.from_url(first.redis_url)
        client.set("kept", "7")
        client.close()
        assert embedded.stop(tmp_path)
        assert embedded.running(tmp_path) is None
        again = embedded.start(tmp_path)
        with psycopg.connect(again.postgres_url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
        client = redis.Redis.from_url(again.redis_url)
        assert client.get("kept") == b"7"
        client.close()
    finally:
        embedded.stop(tmp_path)


def test_stopping_what_does_not_run_says_so(tmp_path: Path) -> None:
    """Stop without start is no error."""
    assert not embedded.stop(tmp_path / "nothing")
    assert not embedded.stop(tmp_path)


def test_a_long_path_still_gets_a_socket(tmp_path: Path) -> None:
    """Sockets move to a short folder where the data folder's path is too long for them."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    servers = embedded.start(deep)
    try:
        client = redis.Redis.from_url(servers.redis_url)
        assert client.ping()
        client.close()
        with psycopg.connect(servers.postgres_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        embedded.stop(deep)


def test_without_servers_the_error_says_how_to_start_them(tmp_path: Path) -> None:
    """The hint names `make up` and the settings."""
    with pytest.raises(StoreUnavailable) as caught:
        resolve_endpoints(Settings(data_dir=tmp_path))
    assert "make up" in caught.value.hint
    assert "FEATURE_STORE_POSTGRES_URL" in caught.value.hint


def test_given_servers_are_used_instead(servers: Settings, tmp_path: Path) -> None:
    """With both URLs set nothing embedded is needed."""
    endpoints = resolve_endpoints(servers)
    given = Settings(
        data_dir=tmp_path, postgres_url=endpoints.postgres_url, redis_url=endpoints.redis_url
    )
    with connect(given) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_dead_server_is_reported_without_its_password(tmp_path: Path) -> None:
    """The driver's error becomes ours, and no secret is in it."""
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "postgres_url": "postgresql://user:hunter2@127.0.0.1:1/none",
            "redis_url": "redis://127.0.0.1:1",
        }
    )
    with pytest.raises(StoreUnavailable) as caught, connect(settings):
        pass
    assert "hunter2" not in str(caught.value)
