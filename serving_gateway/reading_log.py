"""What the log tells of readings: misses, and who asks for versions that are deprecated."""

import structlog

from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import Reading, TierRead


class ReadingLog:
    """
    Logs misses and deprecated use, as sums.

    Args:
        digest: Adds them up.
    """

    needs_times = False

    def __init__(self, digest: LogDigest) -> None:
        self._digest = digest

    def takes(self) -> bool:
        """Look at every reading."""
        return True

    def offer(self, reading: Reading) -> None:
        """Take note of a reading, in the context of its request."""
        for read in reading.reads:
            if any(read.missing):
                self._note_misses(read)
        for feature in reading.selection.deprecated:
            caller = structlog.contextvars.get_contextvars().get("caller", "unknown")
            self._digest.add(
                "deprecated_version_served", feature=feature.reference, caller=str(caller)
            )

    def _note_misses(self, read: TierRead) -> None:
        for collected, missing in zip(read.columns, read.missing, strict=True):
            if missing:
                reference = collected.column.feature.reference
                self._digest.add("feature_miss", missing, tier=read.tier, feature=reference)
