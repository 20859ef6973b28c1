"""What counts of the code of a computation, and what doesn't."""

import inspect

import pytest

from feature_repo.registry.gather import gather_features
from transformations.code_form import code_form
from transformations.expressions import computation_module

CODE = '''
"""A module."""
from math import log

SCALE = 2.0


def compute(rows, *, factor):
    """Scale."""
    total = sum(row * factor for row in rows)
    if total > SCALE:
        rest = log(total)
        return rest
    return lambda share: total * share
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 2.0", "# why\nSCALE  =  2.0  # what"),
        ('"""A module."""', ""),
        ('"""Scale."""', '"""\n    Scale, in other words.\n    """'),
        (
            "(row * factor for row in rows)",
            "(\n        row * factor\n        for row in rows\n    )",
        ),
        ("rest", "logarithm"),
        ("total", "whole"),
        ("row ", "each "),
    ],
)
def test_how_it_is_written_does_not_count(old: str, new: str) -> None:
    """White space, comments, docstrings, the names of variables."""
    assert old in CODE
    changed = CODE.replace("for row in", "for each in").replace("row *", "each *")
    text = changed if old == "row " else CODE.replace(old, new)
    assert code_form(text) == code_form(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0", "3.0"),
        ("total > SCALE", "SCALE > total"),
        ("total > SCALE", "total >= SCALE"),
        ("*, factor", "*, weight"),  # definitions name it
        ("rest = log(total)", "rest = log(SCALE)"),
        ("return rest", "return total"),
        ("SCALE = 2.0", "SCALE = 2"),
        ("import log", "import log2 as log"),
    ],
)
def test_what_it_does_counts(old: str, new: str) -> None:
    """Each of these is another computation, or may be."""
    assert old in CODE
    assert code_form(CODE.replace(old, new)) != code_form(CODE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # A variable that is called like a module's name is not the module's name.
        ("a = 1\ndef f():\n b = 2\n return a", "a = 1\ndef f():\n b = 2\n return b"),
        ("def f():\n len = 2\n return len", "def f():\n size = 2\n return len"),
        ("def f():\n a, b = 1, 2\n return a - b", "def f():\n a, b = 1, 2\n return b - a"),
        ("def f(a):\n b = 1\n return a", "def f(a):\n b = 1\n return b"),
        ("def f():\n class A:\n  x = 1\n return A", "def f():\n class A:\n  y = 1\n return A"),
        ("class A:\n x = 1", "class A:\n y = 1"),
        ("def f():\n return None", "def f():\n return 0"),
        ("def f():\n return x[1:]", "def f():\n return x[:1]"),
    ],
)
def test_no_two_computations_look_alike(first: str, second: str) -> None:
    """Whatever names are shared."""
    assert code_form(first) != code_form(second)


def test_our_own_computations_differ() -> None:
    """One form a module."""
    modules = {computation_module(feature) for feature in gather_features()}
    assert len({code_form(inspect.getsource(module)) for module in modules}) == len(modules)
