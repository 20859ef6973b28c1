"""What is wrong with what somebody wrote, field by field."""

from pydantic import ValidationError

_OURS = "Value error, "


def problems(error: ValidationError) -> list[str]:
    """Return a line a field: `expectations.min_row_count: Input should be greater than 0`."""
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        # A check over several fields names its field itself.
        field = ".".join(map(str, detail["loc"])) + ": " if detail["loc"] else ""
        lines.append(field + detail["msg"].removeprefix(_OURS))
    return lines
