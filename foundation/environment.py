"""Variables of the environment that nobody reads: mistakes in writing."""

import difflib
import os
from collections.abc import Iterable

from foundation.errors import ConfigurationError


def refuse_unknown_variables(prefix: str, names: Iterable[str]) -> None:
    """
    Check that every variable of ours is one that somebody reads.

    Args:
        prefix: What ours begin with.
        names: Of those that are read, without the prefix, in any case.

    Raises:
        ConfigurationError: One is not; the message has the nearest that is.
    """
    known = {prefix + name.upper() for name in names}
    for variable in sorted(os.environ):
        if variable.upper().startswith(prefix) and variable.upper() not in known:
            near = difflib.get_close_matches(variable.upper(), known, n=1)
            raise ConfigurationError(
                f"{variable}: no setting has this name",
                hint=f"Did you mean {near[0]}?" if near else "docs/settings.md lists them all.",
            )
