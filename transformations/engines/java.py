"""The Java that Spark runs on."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from foundation.errors import ConfigurationError

_LEAST_VERSION = 17
_HINT = (
    f"Install a Java {_LEAST_VERSION} or later and set JAVA_HOME to its folder, "
    "or set SPARK_REMOTE to a Spark Connect server."
)
# Spark asks for this module at start, but does without it. Runtimes that hold only part of Java
# may lack it, and would not start.
_DISPENSABLE = "jdk.incubator.vector"
_LAUNCHER = """#!/bin/sh
for argument do
  shift
  [ "$argument" = --add-modules={module} ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


@contextlib.contextmanager
def java_for_spark() -> Iterator[None]:
    """
    Let JAVA_HOME name a Java that Spark can start; afterwards it is what it was.

    Raises:
        ConfigurationError: There is no Java, or it is too old.
    """
    home = _find_java()
    release = _release(home)
    version = re.match(r"\d+", release.get("JAVA_VERSION", ""))
    if version is not None and int(version[0]) < _LEAST_VERSION:
        raise ConfigurationError(
            f"Spark can't run on Java {release['JAVA_VERSION']} in {home}", hint=_HINT
        )
    modules = release.get("MODULES", _DISPENSABLE).split()
    with contextlib.ExitStack() as stack:
        if _DISPENSABLE not in modules:
            home = _with_launcher(home, stack)
        before = os.environ.get("JAVA_HOME")
        os.environ["JAVA_HOME"] = str(home)
        try:
            yield
        finally:
            if before is None:
                del os.environ["JAVA_HOME"]
            else:
                os.environ["JAVA_HOME"] = before


def _find_java() -> Path:
    named = os.environ.get("JAVA_HOME")
    if named:
        home = Path(named)
        if not (home / "bin" / "java").exists():
            raise ConfigurationError(f"JAVA_HOME: there is no Java in {home}", hint=_HINT)
        return home.resolve()
    found = shutil.which("java")
    if found is None:
        raise ConfigurationError("the engine spark needs a Java, and there is none", hint=_HINT)
    return Path(found).resolve().parent.parent


def _release(home: Path) -> dict[str, str]:
    """Return what a Java says of itself; empty if it does not."""
    with contextlib.suppress(OSError):
        return dict(re.findall(r'^(\w+)="(.*)"$', (home / "release").read_text(), re.MULTILINE))
    return {}


def _with_launcher(home: Path, stack: contextlib.ExitStack) -> Path:
    """Return a folder whose `bin/java` starts a Java without the module that it lacks."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="java-")))
    launcher = folder / "bin" / "java"
    launcher.parent.mkdir()
    launcher.write_text(_LAUNCHER.format(module=_DISPENSABLE, java=home / "bin" / "java"))
    launcher.chmod(0o700)
    return folder
