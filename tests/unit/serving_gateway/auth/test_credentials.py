"""A request's credential is found in three places, and never guessed."""

import base64

import pytest

from foundation.errors import NotAuthenticated
from serving_gateway.auth.credentials import find_credential


def _basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


@pytest.mark.parametrize(
    ("header", "text", "by_browser"),
    [
        ((b"authorization", b"Bearer abc"), "abc", False),
        ((b"authorization", b"bearer  abc "), "abc", False),
        ((b"x-api-key", b"abc"), "abc", False),
        ((b"authorization", _basic(b"me:abc")), "abc", True),
        ((b"authorization", _basic(b":a:b")), "a:b", True),
    ],
)
def test_a_credential_is_found(header: tuple[bytes, bytes], text: str, *, by_browser: bool) -> None:
    """As a bearer token, in a header of its own, or as a browser's password."""
    credential = find_credential([(b"host", b"x"), header])
    assert (credential.text, credential.sent_by_browser) == (text, by_browser)


def test_no_credential_is_missing() -> None:
    """That is told apart from a wrong one: a browser is asked, no guess is counted."""
    with pytest.raises(NotAuthenticated) as caught:
        find_credential([(b"host", b"x"), (b"cookie", b"key=abc")])
    assert caught.value.reason == "missing"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer \xff")],
        [(b"authorization", b"Digest abc")],
        [(b"authorization", b"Basic abc")],
        [(b"authorization", b"Basic !!!!")],
        [(b"authorization", _basic(b"abc"))],
        [(b"authorization", _basic(b"\xff:\xff"))],
        [(b"x-api-key", b"a" * 20_000)],
        [(b"x-api-key", b"abc"), (b"authorization", b"Bearer abc")],
        [(b"authorization", b"Bearer abc"), (b"authorization", b"Bearer abc")],
    ],
)
def test_an_unclear_credential_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """The refusal does not repeat it."""
    with pytest.raises(NotAuthenticated) as caught:
        find_credential(headers)
    assert caught.value.reason == "malformed"
    assert "abc" not in str(caught.value)
