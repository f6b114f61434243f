"""Outcomes that are dated before their entity existed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from features.sources.source import Source
from tests.kit.checked import checked, lines
from tests.kit.company import at, make_source

DAY = dt.timedelta(days=1)


class TestEarlyOutcomes:
    def labelled(self, tmp_path: Path, early: int) -> Source:
        leads = [{"lead_id": f"l{n}", "event_time": at("2024-02-01") + n * DAY} for n in range(40)]
        labels = [
            {"lead_id": f"l{n}", "event_time": at("2019-01-01") if n < early else at("2024-06-01"), "converted": True}
            for n in range(40)
        ]
        return make_source(tmp_path, {"leads": leads, "lead_labels": labels})

    def test_a_table_whose_outcomes_are_all_early_blocks(self, tmp_path: Path) -> None:
        found = [line for line in checked(self.labelled(tmp_path, 40)) if "an outcome comes after" in line.rule]
        assert found[0].severity == "blocks"
        assert "40 of 40" in found[0].found
        assert "'l0': 2019-01-01, its first version is of 2024-02-01" in found[0].found

    def test_imported_deals_are_counted_where_the_outcome_is_read_from_them(self, tmp_path: Path) -> None:
        leads = [{"lead_id": f"l{n}", "event_time": at("2024-02-10")} for n in range(20)]
        won = [
            {
                "opportunity_id": f"o{n}",
                "lead_id": f"l{n}",
                "event_time": at("2024-02-01") + 2 * n * DAY,
                "stage": "x",
                "status": "won",
            }
            for n in range(20)
        ]
        source = make_source(tmp_path, {"leads": leads, "opportunities": won})
        (line,) = lines(source, "opportunities", "an outcome comes after the first version")
        assert (line.severity, line.rows, line.column) == ("weakens", 5, "event_time")

    def test_outcomes_after_their_entity_are_no_finding(self, tmp_path: Path) -> None:
        """The twin."""
        assert [line for line in checked(self.labelled(tmp_path, 0)) if "an outcome comes after" in line.rule] == []
