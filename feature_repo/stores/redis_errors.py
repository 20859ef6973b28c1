"""What goes wrong with Redis, in our words."""

import contextlib
from collections.abc import Iterator

import redis

from foundation.errors import StoreUnavailable

ERRORS = (redis.RedisError, redis.RedisClusterException, OSError)


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """
    Let the client's errors leave as ours.

    Raises:
        StoreUnavailable: Redis can't be reached, is too slow, or refuses.
    """
    try:
        yield
    except ERRORS as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> StoreUnavailable:
    """Return one of `ERRORS` in our words."""
    return StoreUnavailable(
        f"Redis: {error}", hint="Is it running? `make up` starts the embedded one."
    )
