"""Charts as inline SVG: nothing that a strict policy stops, a label and a table each, hostile texts escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from serving.page import charts
from serving.page.charts import Bar, Point, Step, Table

HOSTILE = '<img src=x onerror="alert(1)">&"'
ALL: dict[str, Markup] = {
    "bars": charts.bars("Bars", [Bar(HOSTILE, 3, HOSTILE), Bar("b", -1, "−1", "bar-down")], HOSTILE, ("What", "n")),
    "effect": charts.effect(0.5, 1.0, HOSTILE),
    "spread": charts.spread(-0.5, -9.0, 0.1, 1.0, HOSTILE),
    "interval": charts.interval(0.5, 0.1, 3.0, 0.4, 1.0, HOSTILE),
    "spark": charts.spark([0.5, -2.0, 0.0], 1.0, HOSTILE),
    "nothing moves": charts.spread(0.0, None, None, 0.0, HOSTILE),
    "history": charts.history(
        "History", [Step(1, 50, HOSTILE, "1"), Step(3, 80, "b", HOSTILE), Step(3.5, 0, "c", "3")], "Score"
    ),
    "curve": charts.curve(
        HOSTILE, [Point(0.1, 0.2, 0.0, 1.4), Point(0.5, 0.4)], Table((HOSTILE,), [(HOSTILE,)]), "across", "up"
    ),
}


@pytest.mark.parametrize("name", ALL)
class TestEveryChart:
    def test_it_is_well_formed_and_has_nothing_inline(self, name: str) -> None:
        drawn = str(ALL[name])
        ElementTree.fromstring(f"<div>{drawn}</div>")
        assert not re.search(r"<(style|script|img|foreignObject)\b|style=|\son\w+=\"", drawn)
        assert HOSTILE not in drawn

    def test_it_has_a_role_and_a_label(self, name: str) -> None:
        svg = ElementTree.fromstring(f"<div>{ALL[name]}</div>").find(".//svg")
        assert svg is not None
        assert svg.get("role") == "img"
        assert svg.get("aria-label")

    def test_everything_lies_inside(self, name: str) -> None:
        svg = ElementTree.fromstring(f"<div>{ALL[name]}</div>").find(".//svg")
        assert svg is not None
        _, _, width, height = map(float, svg.get("viewBox", "").split())
        for each in svg.iter():
            for axis, end in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y2", height)):
                if each.get(axis):
                    assert 0 <= float(each.get(axis, "")) <= end, (each.tag, axis)


@pytest.mark.parametrize("name", ["bars", "history", "curve"])
def test_there_is_a_table_of_the_same(name: str) -> None:
    found = ElementTree.fromstring(f"<div>{ALL[name]}</div>")
    assert found.find(".//details/summary") is not None
    assert len(found.findall(".//tbody/tr")) >= 1


def test_nothing_is_no_chart() -> None:
    assert charts.bars("b", []) == charts.history("h", []) == charts.curve("c", [], Table((), []), "", "") == ""


def test_a_change_of_version_is_marked_and_the_same_version_is_not() -> None:
    changed = charts.history("h", [Step(1, 50, "a", "1"), Step(2, 50, "b", "2")])
    same = charts.history("h", [Step(1, 50, "a", "1"), Step(2, 50, "b", "1")])
    assert "version 2" in changed
    assert "version" not in str(same).partition("<details>")[0]
