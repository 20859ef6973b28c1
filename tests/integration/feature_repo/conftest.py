"""Feast's command line, run as its users run it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation.settings import PROJECT_ROOT, Settings

Feast = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def feast(settings: Settings) -> Feast:  # noqa: ARG001 - empty stores
    """Return a function that runs `feast` in a folder."""

    def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own arguments
            [Path(sys.executable).with_name("feast"), *arguments],
            cwd=folder,
            # The folder's parent comes first, so that a changed copy is imported, not the project.
            env={**os.environ, "PYTHONPATH": f"{folder.parent}{os.pathsep}{PROJECT_ROOT}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
