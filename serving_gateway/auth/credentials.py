"""Where a request carries its credential."""

import base64
import binascii
from collections.abc import Iterable
from typing import NamedTuple

from foundation.errors import NotAuthenticated

_HEADERS = frozenset({b"authorization", b"x-api-key"})
_LONGEST = 16_384
_HINT = "Send `Authorization: Bearer <API key or token>`, or `X-API-Key: <API key>`."


class Credential(NamedTuple):
    """
    A credential, not verified yet.

    Attributes:
        text: The key or token; never to be logged.
        sent_by_browser: Whether it came by HTTP Basic, which browsers add to requests of any site.
    """

    text: str
    sent_by_browser: bool


def find_credential(headers: Iterable[tuple[bytes, bytes]]) -> Credential:
    """
    Return the credential of a request.

    Args:
        headers: The request's headers; names in lower case.

    Raises:
        NotAuthenticated: There is none, more than one, or none that can be understood.
    """
    found = [entry for entry in headers if entry[0] in _HEADERS]
    if not found:
        raise NotAuthenticated("no credential was sent", reason="missing", hint=_HINT)
    if len(found) > 1:
        raise _malformed("more than one credential was sent")
    [(name, value)] = found
    if len(value) > _LONGEST:
        raise _malformed("the credential is too long")
    try:
        text = value.decode("ascii").strip()
    except UnicodeDecodeError:
        raise _malformed("the credential holds other characters than ASCII") from None
    credential = Credential(text, False) if name == b"x-api-key" else _of_authorization(text)
    if not credential.text:
        raise _malformed("the credential is empty")
    return credential


def _of_authorization(text: str) -> Credential:
    scheme, _, rest = text.partition(" ")
    match scheme.lower():
        case "bearer":
            return Credential(rest.strip(), False)
        case "basic":
            return Credential(_password(rest.strip()), True)
    raise _malformed("the Authorization header is of another scheme than Bearer and Basic")


def _password(encoded: str) -> str:
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise _malformed("the Basic credential is not base64 of `user:password`") from None
    return decoded.partition(":")[2]


def _malformed(message: str) -> NotAuthenticated:
    return NotAuthenticated(
        message, reason="malformed", hint=_HINT + " With HTTP Basic, the key is the password."
    )
