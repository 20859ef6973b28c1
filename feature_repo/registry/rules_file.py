"""The file of serving rules: FEATURE_STORE_SERVING_RULES."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from feature_repo.registry.serving_rules import ServingRules
from feature_repo.registry.validation import problems
from foundation.errors import ConfigurationError

_HINT = "docs/serving-rules.md shows what it may hold."


def read_rules(path: Path) -> ServingRules:
    """
    Read serving rules from a YAML file.

    Raises:
        ConfigurationError: The file can't be read, or is wrong; the message names each field.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ServingRules.model_validate({} if content is None else content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {error}", hint=_HINT) from error
    except ValidationError as error:
        raise ConfigurationError(
            f"{path}:\n  " + "\n  ".join(problems(error)), hint=_HINT
        ) from None
