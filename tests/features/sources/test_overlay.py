"""What a CRM tells us since lies over the source as a new version, as known when we learnt it."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.panel.build import build_panel
from features.sources import overlay as overlays
from features.sources.overlay import overlay
from tests.kit.company import at, make_source

FIELDS = ["employees", "industry"]


class TestOverlay:
    """What a CRM tells us since lies over the source as a new version, as known when we learnt it."""

    ROWS = (
        {"lead_id": "l1", "event_time": at("2024-01-01"), "industry": "retail", "employees": 5, "status": "open"},
        {"lead_id": "l2", "event_time": at("2024-01-01"), "industry": "software", "status": "open"},
    )

    def test_columns_that_a_change_does_not_name_are_carried_over(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"leads": self.ROWS})
        change = {"lead_id": "l1", "event_time": at("2024-02-01"), "known_time": at("2024-02-03"), "employees": "250"}
        changed = overlay(source, "leads", [change])
        days = [at("2024-02-02"), at("2024-02-04")]
        rows = build_panel(changed, "lead", days, only=FIELDS).to_pylist()
        assert [(r["entity_id"], r["employees"], r["industry"]) for r in rows] == [
            ("l1", 5.0, "retail"),
            ("l2", None, "software"),
            ("l1", 250.0, "retail"),
            ("l2", None, "software"),
        ]
        assert build_panel(source, "lead", days, only=FIELDS)["employees"].to_pylist() == [5.0, None, 5.0, None]

    def test_a_change_can_follow_a_change_and_make_a_new_record(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"leads": self.ROWS})
        once = overlay(source, "leads", [{"lead_id": "l3", "event_time": at("2024-02-01"), "status": "open"}])
        twice = overlay(once, "leads", [{"lead_id": "l3", "event_time": at("2024-02-05"), "industry": "steel"}])
        rows = build_panel(twice, "lead", [at("2024-03-01")], ids=["l3"], only=FIELDS).to_pylist()
        assert [(r["entity_id"], r["industry"], r["eligibility"]) for r in rows] == [("l3", "steel", "eligible")]

    def two_fields_at_one_time(self, folder: Path) -> list[tuple[object, ...]]:
        stamps = {"event_time": at("2024-02-01"), "known_time": at("2024-02-03")}
        told = [
            {"lead_id": i, **stamps, **one} for i in ("l1", "l3") for one in ({"employees": 250}, {"industry": "steel"})
        ]
        changed = overlay(make_source(folder, {"leads": self.ROWS}), "leads", told)
        rows = build_panel(changed, "lead", [at("2024-03-01")], ids=["l1", "l3"], only=FIELDS).to_pylist()
        return [(r["entity_id"], r["employees"], r["industry"]) for r in rows]

    def test_two_changes_in_one_message_are_both_kept(self, tmp_path: Path) -> None:
        assert self.two_fields_at_one_time(tmp_path) == [("l1", 250.0, "steel"), ("l3", 250.0, "steel")]

    def test_the_twin_without_merging_loses_one_of_two_changes_in_one_message(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(overlays, "_together", lambda _key, read: read)
        assert self.two_fields_at_one_time(tmp_path) != [("l1", 250.0, "steel"), ("l3", 250.0, "steel")]

    def test_all_bad_values_are_reported_at_once(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"leads": self.ROWS})
        with pytest.raises(BadInput) as caught:
            overlay(
                source,
                "leads",
                [{"lead_id": "l1", "event_time": at("2024-02-01"), "employees": "many", "colour": "red"}, {}],
            )
        assert len(caught.value.faults) == 4
