"""A gateway that asks for nothing is not for everybody."""

import pytest

from foundation.errors import ConfigurationError
from foundation.settings import Settings
from serving_gateway.server import server_config


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_without_authentication_this_machine_is_served(host: str) -> None:
    """Nobody else can reach it."""
    assert server_config("app", Settings(authentication="off"), host=host, port=0).host == host


@pytest.mark.parametrize(
    "host", ["::", "192.168.0.7", "features.example.com", "127.0.0.1.example.com", ""]
)
def test_without_authentication_others_are_not(host: str) -> None:
    """Unless a second setting says that this is wanted."""
    off = Settings(authentication="off")
    with pytest.raises(ConfigurationError, match="FEATURE_STORE_UNAUTHENTICATED_BEYOND_LOOPBACK"):
        server_config("app", off, host=host, port=0)
    wanted = Settings(authentication="off", unauthenticated_beyond_loopback=True)
    assert server_config("app", wanted, host=host, port=0).host == host
    assert server_config("app", Settings(), host=host, port=0).host == host
