"""Encrypted on every line: to callers, to Redis, to PostgreSQL; with real certificates."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import adbc_driver_postgresql.dbapi
import httpx
import pytest
import redis
import trustme
import yaml

from feature_repo.offline_store.store import PointInTimeOfflineStoreConfig
from feature_repo.registry.catalog import REPO_PATH
from feature_repo.stores.schema import migrate
from foundation import postgres
from foundation.endpoints import resolve_endpoints
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.redis import connect
from foundation.settings import Settings
from serving_gateway.server import server_config
from tests.integration.fronts import postgres_socket, running_front, url_through
from tests.integration.serving_gateway.conftest import gateway_on, read_batch


@dataclass(frozen=True)
class Papers:
    """
    Files of an authority and of what it vouches for.

    Attributes:
        authority: The authority's certificate.
        certificate: Of a server on this machine, or of a client.
        key: The private key of both.
    """

    authority: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return how a server encrypts that asks its clients for certificates, too."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.certificate, self.key)
        return context


def _papers(folder: Path) -> Papers:
    folder.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    papers = Papers(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(papers.authority)
    issued.cert_chain_pems[0].write_to_path(papers.certificate)
    issued.private_key_pem.write_to_path(papers.key)
    papers.key.chmod(0o600)
    return papers


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Return the papers of an authority that everybody trusts."""
    return _papers(tmp_path_factory.mktemp("papers") / "good")


@pytest.fixture(scope="module")
def other_papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Return the papers of an authority that nobody trusts."""
    return _papers(tmp_path_factory.mktemp("papers") / "other")


def _with(settings: Settings, **changes: object) -> Settings:
    return Settings.model_validate({**settings.model_dump(), **changes})


def test_the_gateway_serves_https(applied: Settings, papers: Papers, other_papers: Papers) -> None:
    """To clients that trust its authority; nobody is served in clear."""
    settings = _with(
        applied, gateway_tls_certificate=papers.certificate, gateway_tls_key=papers.key
    )
    with gateway_on(settings) as plain:
        url = f"https://127.0.0.1:{plain.base_url.port}/health"
        trusting = ssl.create_default_context(cafile=papers.authority)
        assert httpx.get(url, verify=trusting).status_code == 200
        distrusting = ssl.create_default_context(cafile=other_papers.authority)
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            httpx.get(url, verify=distrusting)
        with pytest.raises(httpx.HTTPError):
            plain.get("/health")


def test_a_wrong_certificate_stops_the_start(papers: Papers, other_papers: Papers) -> None:
    """A missing file, one of another key, half a pair: each is named."""
    for key in (papers.key.with_name("missing.pem"), other_papers.key, papers.certificate):
        settings = _with(
            Settings(), gateway_tls_certificate=papers.certificate, gateway_tls_key=key
        )
        with pytest.raises(ConfigurationError, match=key.name):
            server_config("app", settings, host="127.0.0.1", port=0)
    with pytest.raises(ValueError, match="needs FEATURE_STORE_GATEWAY_TLS_KEY"):
        _with(Settings(), gateway_tls_certificate=papers.certificate)


@pytest.fixture
def redis_front(applied: Settings, papers: Papers) -> Iterator[str]:
    """Yield the URL of an encrypted Redis, which asks its clients for certificates."""
    socket = Path(resolve_endpoints(applied).redis_url.get_secret_value().removeprefix("unix://"))
    with running_front(socket, papers.context()) as port:
        yield f"rediss://localhost:{port}"


def test_values_come_from_redis_encrypted(
    applied: Settings, valkey: redis.Redis, redis_front: str, papers: Papers
) -> None:
    """Jobs write and the gateway reads, each showing its certificate."""
    settings = _with(
        applied,
        redis_url=redis_front,
        redis_tls_ca=papers.authority,
        redis_tls_certificate=papers.certificate,
        redis_tls_key=papers.key,
    )
    with connect(settings) as client:
        client.set("feature:popularity_score:p1:v1.1.0", "0.87", ex=60)
    assert valkey.dbsize() == 1
    with gateway_on(settings) as gateway:
        answer = read_batch(gateway, entity_ids=["p1"], feature_names=["popularity_score"])
    assert answer["values"] == {"p1": {"popularity_score": 0.87}}


def test_a_redis_that_can_not_prove_itself_gets_nothing(
    applied: Settings, redis_front: str, papers: Papers, other_papers: Papers
) -> None:
    """Another authority, the system's, or a client without a certificate: no connection."""
    pair = {"redis_tls_certificate": papers.certificate, "redis_tls_key": papers.key}
    for changes in (
        {"redis_tls_ca": other_papers.authority, **pair},
        pair,
        {"redis_tls_ca": papers.authority},
    ):
        with (
            connect(_with(applied, redis_url=redis_front, **changes)) as client,
            pytest.raises(redis.ConnectionError),
        ):
            client.ping()
    with pytest.raises(ValueError, match="rediss://"):
        _with(applied, redis_tls_ca=papers.authority)


def test_postgresql_is_reached_encrypted(
    applied: Settings, papers: Papers, other_papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every driver, as the URL says: with the server's name checked and a client certificate."""
    with running_front(postgres_socket(applied), papers.context(), starts_plain=True) as port:
        client = f"sslcert={papers.certificate}&sslkey={papers.key}"
        query = f"?sslmode=verify-full&sslrootcert={papers.authority}&{client}"
        url = url_through(applied, port, query)
        settings = _with(applied, postgres_url=url)
        with postgres.connect(settings) as connection:
            assert connection.execute("SELECT count(*) FROM api_keys").fetchone() is not None
        assert migrate(settings) == migrate(applied)
        with adbc_driver_postgresql.dbapi.connect(url) as adbc, adbc.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        monkeypatch.setenv("FEATURE_STORE_POSTGRES_URL", url)
        configured = yaml.safe_load((REPO_PATH / "feature_store.yaml").read_text())
        feasts = PointInTimeOfflineStoreConfig(**configured["offline_store"])
        assert feasts.sslrootcert_path == str(papers.authority)
        wrong = query.replace(str(papers.authority), str(other_papers.authority))
        with (
            pytest.raises(StoreUnavailable, match="certificate"),
            postgres.connect(_with(applied, postgres_url=url_through(applied, port, wrong))),
        ):
            pass
