"""The page of the sample company states the numbers by which it is made."""

from __future__ import annotations

import re

import features.simulate as page
from features.simulate import parameters as p


class TestPage:
    """The docstring of the package states the mechanics; a number in it that drifts from the code would lie."""

    def test_names_every_parameter(self) -> None:
        names = [name for name in vars(p) if re.fullmatch(r"[A-Z][A-Z_]+", name)]
        assert len(names) > 60
        assert [name for name in names if not re.search(rf"\b{name}\b", page.__doc__ or "")] == []

    def test_states_the_numbers_that_hold(self) -> None:
        stated = re.findall(r"`([A-Z_]+)` = (-?\d+(?:\.\d+)?)", page.__doc__ or "")
        assert len(stated) > 20
        assert {name: float(value) for name, value in stated} == {name: getattr(p, name) for name, _ in stated}
