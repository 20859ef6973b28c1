"""A process that archives what is old, and is killed once the first file is written."""

import os
import signal

from foundation import clock
from foundation.settings import load_settings
from transformations.archives.storage import Archive
from transformations.retention import archive_months


def _die(_reference: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    settings = load_settings()
    archive_months(
        settings, Archive.open(settings), now=clock.now(), dry_run=False, on_progress=_die
    )
