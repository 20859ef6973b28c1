"""Spark gets a Java that it can start."""

import os
import subprocess
from pathlib import Path

import pytest

from foundation.errors import ConfigurationError
from transformations.engines.java import java_for_spark


def _java(folder: Path, release: str) -> Path:
    """Make a Java whose launcher prints its arguments, one a line."""
    launcher = folder / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    launcher.chmod(0o700)
    (folder / "release").write_text(release)
    return folder


def _started(*arguments: str) -> list[str]:
    command = [f"{os.environ['JAVA_HOME']}/bin/java", *arguments]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return found.stdout.splitlines()


@pytest.mark.parametrize("release", ["", 'JAVA_VERSION="17.0.1"\nMODULES="jdk.incubator.vector"\n'])
def test_a_whole_java_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    """JAVA_HOME stays what it was."""
    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "java", release)))
    with java_for_spark():
        assert os.environ["JAVA_HOME"] == str(tmp_path / "java")


def test_a_java_without_the_module_is_not_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option that it would not start with is left out; all others stay as they are."""
    home = _java(tmp_path / "a java", 'JAVA_VERSION="25"\nMODULES="java.base java.sql"\n')
    monkeypatch.setenv("JAVA_HOME", str(home))
    with java_for_spark():
        inside = os.environ["JAVA_HOME"]
        found = _started("-Da=b c", "--add-modules=jdk.incubator.vector", "", "*")
        assert found == ["-Da=b c", "", "*"]
    assert os.environ["JAVA_HOME"] == str(home)
    assert not Path(inside).exists()


def test_java_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without JAVA_HOME the first `java` of PATH is taken, where links lead."""
    home = _java(tmp_path / "java", "")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with java_for_spark():
        assert os.environ["JAVA_HOME"] == str(home)
    assert "JAVA_HOME" not in os.environ


def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which it is, and which it must be."""
    monkeypatch.setenv("JAVA_HOME", str(_java(tmp_path / "java", 'JAVA_VERSION="11.0.2"\n')))
    with (
        pytest.raises(ConfigurationError, match=r"(?s)Java 11\.0\.2.*Java 17 or later"),
        java_for_spark(),
    ):
        pass
