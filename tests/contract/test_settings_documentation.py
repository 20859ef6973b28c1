"""Every setting is documented with its default."""

import re

from foundation.settings import PREFIX, PROJECT_ROOT, Settings


def test_every_setting_is_documented_with_its_default() -> None:
    """The table of docs/settings.md and the settings are the same."""
    text = (PROJECT_ROOT / "docs" / "settings.md").read_text()
    documented = dict(re.findall(rf"^\| `({PREFIX}\w+)` \| `?([^|`]+?)`? \|", text, re.MULTILINE))
    expected = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        match default:
            case None:
                shown = "unset"
            case bool():
                shown = str(default).lower()
            case tuple():
                shown = str(list(default))  # as JSON, which the environment takes
            case _ if name == "data_dir":
                shown = str(default.relative_to(PROJECT_ROOT))
            case _:
                shown = str(default)
        expected[PREFIX + name.upper()] = shown
    assert documented == expected
