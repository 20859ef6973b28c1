"""What a query of Prometheus looks at."""

import re

_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)")
_WINDOW = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"[a-z_]\w*(?:\{[^}]*\})?(?!\w*\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset", "by", "on"}


def selectors(expression: str) -> list[str]:
    """Return the metrics of a query, each with its matchers, like `up{job="gateway"}`."""
    text = _WINDOW.sub("", _GROUPING.sub("", expression))
    return [found for found in _NAME.findall(text) if found not in _WORDS]
