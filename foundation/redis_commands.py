"""Commands in Redis' protocol (RESP), packed for many keys at once; pure."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import hiredis

# Of fewer keys it takes as long to see what they have in common.
_MANY_KEYS = 50


class Keys(NamedTuple):
    """
    Keys that differ in the middle only.

    Attributes:
        before: What they begin with.
        middles: What tells them apart.
        after: What they end with.
    """

    before: str
    middles: Sequence[str]
    after: str

    @classmethod
    def unlike(cls, keys: Sequence[str]) -> Self:
        """Return keys that have nothing in common."""
        return cls("", keys, "")

    def spelt_out(self) -> list[str]:
        """Return them one by one."""
        return [f"{self.before}{middle}{self.after}" for middle in self.middles]


def command(*words: str) -> bytes:
    """Return a command of any words."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type] # any number will do
    return packed


def mget_command(keys: Sequence[Keys]) -> bytes:
    """
    Return the command that reads the values of keys, in their order.

    Of many it never makes the keys themselves: that takes twice as long.
    """
    count = sum([len(each.middles) for each in keys])
    if count < _MANY_KEYS:
        # To call `Keys.spelt_out` for each, of one key mostly, takes twice as long.
        spelt_out = [f"{before}{m}{after}" for before, middles, after in keys for m in middles]
        return command("MGET", *spelt_out)
    # Features of the same entities have the same middles.
    shared = {id(each.middles): each.middles for each in keys}
    lengths = {key: _byte_lengths(middles) for key, middles in shared.items()}
    words = "".join([_words(each, lengths[id(each.middles)]) for each in keys])
    return b"*%d\r\n$4\r\nMGET\r\n%b" % (1 + count, words.encode())


def _words(keys: Keys, lengths: Sequence[int]) -> str:
    """Return keys as words of a command: the length of each in bytes, and the key."""
    before, middles, after = keys
    around = len(before.encode()) + len(after.encode())
    starts = {length: f"${around + length}\r\n{before}" for length in set(lengths)}
    words = [f"{after}\r\n"] * (3 * len(middles))
    words[0::3] = map(starts.__getitem__, lengths)
    words[1::3] = middles
    return "".join(words)


def _byte_lengths(texts: Sequence[str]) -> list[int]:
    if "".join(texts).isascii():
        return list(map(len, texts))
    return [len(text.encode()) for text in texts]
