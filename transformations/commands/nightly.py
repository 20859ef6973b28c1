"""`nightly`: what the schedule does after midnight, where jobs are started otherwise."""

# ruff: noqa: PLC0415 - Feast takes seconds, which `--help` doesn't need
from foundation.settings import load_settings


def nightly() -> None:
    """
    Make last midnight's snapshot, and put away what is old enough.

    Old months of the history move to the archive; old snapshots, records of old runs and the values
    of retired versions are removed. The schedule does so by itself; this is for those who start
    jobs otherwise. Doing it twice changes nothing.
    """
    from transformations.nightly import keep_snapshots

    keep_snapshots(load_settings())
