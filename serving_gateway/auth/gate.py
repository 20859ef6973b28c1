"""The gate: lets a request in, or refuses it; decided from its head alone."""

import ipaddress
import time
from collections import OrderedDict

from starlette.types import Scope

from foundation import clock
from foundation.errors import NotAllowed, NotAuthenticated, TooManyRequests
from foundation.settings import Settings
from serving_gateway.auth.api_keys import digest_of
from serving_gateway.auth.authenticator import Authenticator
from serving_gateway.auth.credentials import Credential, find_credential
from serving_gateway.auth.rate_limit import RateLimit
from serving_gateway.auth.scopes import AccessScope, Caller

_MOST_ACCEPTED = 10_000
_SECONDS_A_MINUTE = 60
# Whoever is refused for another reason had a credential that was good once, or elsewhere.
_GUESSES = frozenset({"unknown", "signature", "algorithm"})
_HARMLESS = frozenset({"GET", "HEAD"})


class Gate:
    """
    Decides on requests.

    Args:
        authenticator: Tells who asks.
        caller_limit: How often each caller may ask.
        failure_limit: How often each address may fail.
    """

    def __init__(
        self, authenticator: Authenticator, *, caller_limit: RateLimit, failure_limit: RateLimit
    ) -> None:
        self._authenticator = authenticator
        self._caller_limit = caller_limit
        self._failure_limit = failure_limit
        # Digests of credentials that were good: who guesses must not shut out who need not.
        self._accepted: OrderedDict[bytes, None] = OrderedDict()

    def admit(self, request: Scope, asked: AccessScope) -> Caller:
        """
        Return who asks.

        Args:
            request: The request's ASGI scope.
            asked: What its route asks for.

        Raises:
            Refused: The request is not to be answered.
            StoreUnavailable: Nobody can be told apart yet.
        """
        now = time.monotonic()
        credential, caller = self._identified(request, now)
        wait = self._caller_limit.take(caller.name, now=now)
        if wait:
            raise TooManyRequests(
                f"{caller.name} asks more often than it may",
                reason="rate",
                hint="Wait as Retry-After says, and ask for more at once in batches.",
                retry_after_seconds=wait,
            )
        _check_scope(caller, asked)
        _check_origin(credential, request)
        return caller

    def _identified(self, request: Scope, now: float) -> tuple[Credential, Caller]:
        credential = find_credential(request["headers"])
        digest = digest_of(credential.text)
        # Nobody guesses a signature: a token that can be verified needs no protection of this kind.
        if digest not in self._accepted and not self._authenticator.can_verify(credential.text):
            self._check_failures(self._suspect(credential, request), now)
        try:
            caller = self._authenticator.identify(credential.text, digest, now=clock.now())
        except NotAuthenticated as refusal:
            if refusal.reason in _GUESSES:
                suspect = self._suspect(credential, request)
                self._check_failures(suspect, now)
                self._failure_limit.take(suspect, now=now)
            raise
        self._accepted[digest] = None
        self._accepted.move_to_end(digest)
        if len(self._accepted) > _MOST_ACCEPTED:
            self._accepted.popitem(last=False)
        return credential, caller

    def _suspect(self, credential: Credential, request: Scope) -> str:
        """
        Return whose guesses count together: of one address at one key, at tokens, or at other keys.

        Many callers may share an address, that of a proxy: one who goes on sending a wrong key must
        not shut out those who have another.
        """
        return f"{_network(request)} {self._authenticator.target_of(credential.text)}"

    def _check_failures(self, suspect: str, now: float) -> None:
        wait = self._failure_limit.wait(suspect, now=now)
        if wait:
            raise TooManyRequests(
                "too many wrong credentials came from this address",
                reason="failures",
                hint="Wait as Retry-After says; credentials that were accepted before still are.",
                retry_after_seconds=wait,
            )


def build_gate(settings: Settings, authenticator: Authenticator) -> Gate:
    """Return the gate that the settings describe."""
    failures = settings.failed_credentials_per_minute
    return Gate(
        authenticator,
        caller_limit=RateLimit(
            per_second=settings.caller_requests_per_second, burst=settings.caller_requests_burst
        ),
        failure_limit=RateLimit(per_second=failures / _SECONDS_A_MINUTE, burst=max(1, failures)),
    )


def _check_scope(caller: Caller, asked: AccessScope) -> None:
    if asked not in caller.scopes:
        raise NotAllowed(
            f"{caller.name} does not have the scope {asked.value!r}, which this route asks for",
            reason="scope",
            hint="Ask the gateway's operator for a credential that has it.",
        )


def _check_origin(credential: Credential, request: Scope) -> None:
    """Refuse what another web site makes a browser send, with credentials that it has stored."""
    if not credential.sent_by_browser or request["method"] in _HARMLESS:
        return
    site = dict(request["headers"]).get(b"sec-fetch-site", b"same-origin")
    if site not in {b"same-origin", b"none"}:
        raise NotAllowed(
            "another web site sent this request",
            reason="cross_site",
            hint="Send the key as `Authorization: Bearer <API key>`.",
        )


def _network(request: Scope) -> str:
    """Return the client's address; of IPv6, the /64 that one customer has to himself."""
    host = request["client"][0] if request.get("client") else "local"
    if ":" not in host:
        return str(host)
    return str(ipaddress.IPv6Network((host.partition("%")[0], 64), strict=False))
