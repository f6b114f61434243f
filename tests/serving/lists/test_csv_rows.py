"""Lines of a CSV: every cell in its column, and none that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
from typing import Any

from serving.eligibility import NoScore
from serving.lists.csv_rows import header, lines
from serving.lists.schemas import FirstReason, ListRow
from serving.overrides.schemas import OverrideShown


def row(**given: Any) -> ListRow:
    fields: dict[str, Any] = dict.fromkeys(ListRow.__struct_fields__)
    return ListRow(**{**fields, "entity_id": "acme", "segments": {}, "as_of": "2026-03-01T06:00:00Z", **given})


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_cells_are_under_their_names() -> None:
    whole = row(
        name='Acme, "Robotics"\nGmbH',
        probability=0.1 + 0.2,
        score=94,
        segments={"industry": "software"},
        reason=FirstReason("s", "usage", "It fell."),
        override=OverrideShown("low", "They signed.", "j.doe", "2026-03-01T06:00:00Z", None),
    )
    none = row(entity_id="b", no_score=NoScore("closed", "..."))
    first, second = read(header(["industry", "region"]) + lines([whole, none], ["industry", "region"]))
    assert (first["name"], first["score"]) == ('Acme, "Robotics"\nGmbH', "94")
    assert float(first["probability"]) == 0.1 + 0.2
    assert (first["segment.industry"], first["segment.region"]) == ("software", "")
    assert (first["reason_theme"], first["reason"]) == ("usage", "It fell.")
    assert (first["override_band"], first["override_author"]) == ("low", "j.doe")
    assert (second["no_score"], second["score"], second["reason"]) == ("closed", "", "")


def test_no_cell_is_a_formula() -> None:
    bad = '=HYPERLINK("http://x")'
    hostile = row(
        entity_id="@a",
        name=bad,
        owner="+cmd|x",
        segments={"industry": "-2+3"},
        change=-5,
        override=OverrideShown("low", bad, "\tx", "2026-03-01T06:00:00Z", None),
    )
    (found,) = read(header(["industry"]) + lines([hostile], ["industry"]))
    assert found["name"] == found["override_reason"] == "'" + bad
    assert (found["entity_id"], found["owner"], found["segment.industry"]) == ("'@a", "'+cmd|x", "'-2+3")
    assert found["change"] == "-5"  # a number stays one
    assert found["override_author"] == "'\tx"


def test_a_segment_column_that_looks_like_a_formula_is_quoted_by_its_prefix() -> None:
    assert header(["=1+1"]).rstrip().endswith("segment.=1+1")
