"""Whoever is told of something finds out what to do: each alert has a runbook."""

import re

import pytest

from foundation.settings import PREFIX, PROJECT_ROOT, Settings
from monitoring.alerts import ALERTS
from monitoring.alerts.alert import Alert

FOLDER = PROJECT_ROOT / "docs" / "runbooks"
SECTIONS = ["What users see", "First", "Mend it", "Mended when"]


def test_each_alert_has_one() -> None:
    """And none is of an alert that is no more."""
    names = {path.stem for path in FOLDER.glob("*.md")} - {"README"}
    assert names == {alert.name for alert in ALERTS}
    index = (FOLDER / "README.md").read_text()
    assert all(f"({name}.md)" in index for name in names)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_it_says_what_to_do(alert: Alert) -> None:
    """In the same order in all of them; three commands come first."""
    text = (FOLDER / f"{alert.name}.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    [commands] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(commands.splitlines()) == 3


def test_its_settings_exist() -> None:
    """What its commands do is another test's."""
    texts = [path.read_text() for path in FOLDER.glob("*.md")]
    settings = {name.lower() for text in texts for name in re.findall(rf"{PREFIX}(\w+)", text)}
    assert settings <= Settings.model_fields.keys()
