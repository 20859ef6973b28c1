"""
Values as the gateway served them: a logged sample, one JSON object a line.

    {"answered_at": "2026-11-23T10:15:00.123456Z", "feature": "popularity_score==1.0.0",
     "keys": {"product_id": "prod_1"}, "value": 0.87, "served_from": "online",
     "event_timestamp": "2026-11-23T10:10:00Z"}

`answered_at` and `event_timestamp` are ISO 8601, aware. `keys` are the join keys, as they are, not
escaped. `value` is null, and `event_timestamp` null, if there was none; `event_timestamp` is null
for what has no instant of its own, too. `served_from` is the tier: `default` and null mean that no
tier had a value. Other fields are ignored.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from foundation.errors import ConfigurationError, ContractViolation


class ServedValue(BaseModel):
    """
    One value of one answer.

    Attributes:
        answered_at: When the gateway answered.
        feature: Reference of the version that was served.
        keys: Join keys.
        value: What was served: a number, text, list of numbers or mapping of text to numbers.
        served_from: The tier that had it.
        event_timestamp: What instant the value is about.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    answered_at: AwareDatetime
    feature: str
    keys: Mapping[str, str]
    value: Any
    served_from: str | None = None
    event_timestamp: AwareDatetime | None = None

    @property
    def is_known(self) -> bool:
        """Whether a tier had a value, apart from the default."""
        return self.value is not None and self.served_from not in {None, "default"}


def read_answers(path: Path) -> Iterator[ServedValue]:
    """
    Yield the values of a logged sample.

    Args:
        path: A file, or the folder that the gateway writes files to.

    Raises:
        ConfigurationError: There is no file, or one can't be read.
        ContractViolation: A line is no such record; the message tells which.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise ConfigurationError(
            f"{path}: holds no answers",
            hint="Set FEATURE_STORE_SERVED_SAMPLE_SHARE above 0, and read features.",
        )
    for file in files:
        yield from _read_file(file)


def _read_file(file: Path) -> Iterator[ServedValue]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _parse(line, f"{file}, line {number}")
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be read: {error.strerror}") from error


def _parse(line: str, where: str) -> ServedValue:
    try:
        return ServedValue.model_validate(json.loads(line))
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in detail["loc"])
        raise ContractViolation(f"{where}, {field}: {detail['msg']}") from None
    except ValueError as error:
        raise ContractViolation(f"{where}: {error}") from error
