"""Texts that stores hold and that are no values: they are missing, each for itself."""

from collections.abc import Sequence

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_checks import are_floats, unsound_rows
from serving_gateway.columns import Column, by_column
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest


class SoundTexts:
    """
    Passes on the texts of a tier that are values.

    Answers are spliced from them, so one that is no JSON would spoil a whole answer.

    Args:
        tier: Whose texts, for logs and metrics.
        instruments: Count those that are none.
        digest: Logs them.
    """

    def __init__(self, tier: str, instruments: Instruments, digest: LogDigest) -> None:
        self._tier = tier
        self._instruments = instruments
        self._digest = digest

    def of_each(
        self, columns: Sequence[Column], texts: Sequence[bytes | None]
    ) -> list[Sequence[bytes | None]]:
        """Return the texts of columns, which follow each other, column by column; see `of`."""
        parts = by_column(columns, texts)
        types = {column.feature.feature_type for column in columns}
        # As most are: to look at them at once is cheaper.
        if types == {FeatureType.FLOAT} and are_floats(texts):
            return parts
        return [self.of(column.feature, part) for column, part in zip(columns, parts, strict=True)]

    def of(self, feature: FeatureVersion, texts: Sequence[bytes | None]) -> Sequence[bytes | None]:
        """Return a feature version's texts, with None for those that are no values of it."""
        rows = unsound_rows(feature, texts)
        if not rows:
            return texts
        self._instruments.count_corrupt(feature, self._tier, len(rows))
        self._digest.add("corrupt_values", len(rows), tier=self._tier, feature=feature.reference)
        sound = list(texts)
        for row in rows:
            sound[row] = None
        return sound
