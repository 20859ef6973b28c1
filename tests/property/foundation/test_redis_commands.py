"""Commands are what hiredis makes of the same words."""

from hypothesis import given
from hypothesis import strategies as st

from foundation.redis_commands import Keys, command, mget_command

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
KEYS = st.builds(Keys, TEXT, st.lists(TEXT, max_size=6).map(lambda few: few * 5), TEXT)


@given(st.lists(KEYS, max_size=4))
def test_packed_keys_are_those_spelt_out(keys: list[Keys]) -> None:
    """Whatever the keys hold, also line breaks and characters of several bytes."""
    words = ["MGET", *(key for each in keys for key in each.spelt_out())]
    assert mget_command(keys) == command(*words)
