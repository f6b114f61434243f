"""The card of a version is a projection of its report: every figure is the report's, and no account or lead is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models import card, card_file
from models.card import CardFinding, CardMeasure, ModelCard, read_card
from models.card_file import Newer, Unreadable
from models.catalog import get_model
from tests.kit.reports import make_report
from tests.kit.scorers import make_scorer

CHURN = get_model("churn-risk")
MISSED = {"entity_id": "acc_4711", "probability": 0.01, "outcome": 1}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scorer = make_scorer(tmp_path_factory.mktemp("scorer") / "made", n=300, boosters=[], tree_share=0.0)
    return make_report(scorer, ready=True, worst_misses=[MISSED])


def written(home: Path, report: dict[str, Any], version: int = 7, name: str = card.NAME) -> Path:
    path = card.place(home, "churn-risk", version) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        card.encoded(report, CHURN, "2026-11-23T06:00:00Z") if name == card.NAME else json.dumps(report).encode()
    )
    return path


def of(home: Path, version: int = 7) -> ModelCard:
    found = read_card(home, CHURN, version)
    assert found is not None
    return found


class TestEncoded:
    def test_the_figures_are_those_of_the_report(self, tmp_path: Path, report: dict[str, Any]) -> None:
        written(tmp_path, report)
        found = of(tmp_path)
        assert found.metrics["auc"] == CardMeasure(**report["metrics"]["auc"])
        assert found.metrics["lift_at_capacity"].value == report["metrics"]["lift_at_capacity"]["value"]
        assert found.rule is not None
        assert found.rule.rule == report["one_column_rule"]["rule"]
        assert found.rule.auc.value == 0.7
        assert [point.observed for point in found.calibration] == [p["observed"] for p in report["calibration_curve"]]
        assert [point.rows for point in found.by_capacity] == [p["rows"] for p in report["by_capacity"]]
        assert [s.segment for s in found.by_segment] == [s["segment"] for s in report["by_segment"]]
        assert [(g.name, g.passed, g.found, g.needed) for g in found.gates] == [
            (g["name"], g["passed"], g["found"], g["needed"]) for g in report["gates"]
        ]
        assert (found.version, found.base_rate, found.capacity_share) == (7, 0.2, 0.1)
        assert (found.entity, found.outcome, found.horizon_days) == ("account", "churn", 90)
        assert found.made_at == "2026-11-23T06:00:00Z"

    def test_it_names_no_account(self, tmp_path: Path, report: dict[str, Any]) -> None:
        """The report does: it lists the rows whose outcome was least expected."""
        path = written(tmp_path, report)
        assert "4711" in json.dumps(report)
        assert "4711" not in path.read_text()
        assert "entity_id" not in path.read_text()

    def test_it_has_the_fields_of_a_card_and_no_others(self, tmp_path: Path, report: dict[str, Any]) -> None:
        path = written(tmp_path, {**report, "new_in_a_later_report": 1})
        assert json.loads(path.read_text()).keys() == {"schema", *ModelCard.__struct_fields__}

    def test_the_training_window_is_that_of_train_and_calibrate(self, report: dict[str, Any], tmp_path: Path) -> None:
        periods = {
            "train": {"from": "2025-03-13", "to": "2025-09-25", "rows": 8528, "with_outcome": 495},
            "calibrate": {"from": "2026-01-15", "to": "2026-02-12", "rows": 2629, "with_outcome": 214},
            "test": {"from": "2026-06-04", "to": "2026-07-30", "rows": 4293, "with_outcome": 389},
        }
        written(tmp_path, {**report, "periods": periods})
        found = of(tmp_path)
        assert (found.trained_from, found.trained_to) == ("2025-03-13", "2026-02-12")
        assert [(p.part, p.from_, p.rows) for p in found.periods][2] == ("test", "2026-06-04", 4293)
        timeless = {"train": {"rows": 10, "with_outcome": 2}}
        written(tmp_path, {**report, "periods": timeless}, version=8)
        assert (of(tmp_path, 8).trained_from, of(tmp_path, 8).trained_to) == (None, None)

    def test_findings_open_and_accepted(self, tmp_path: Path, report: dict[str, Any]) -> None:
        findings = [
            {"columns": ["a"], "evidence": "too good", "advice": "leave it out", "accepted": None},
            {"columns": ["b"], "evidence": "too good", "advice": "leave it out", "accepted": "set at creation"},
        ]
        written(tmp_path, {**report, "audit_findings": findings})
        assert [f.accepted for f in of(tmp_path).audit] == [None, "set at creation"]

    def test_a_population_and_a_value(self, tmp_path: Path, report: dict[str, Any]) -> None:
        more = {"population": {"is": "plan is enterprise", "inside": 812, "eligible": 4293}, "excluded": ["plan"]}
        written(tmp_path, {**report, **more, "value": {"gain_at_capacity": {"value": 9.5}, "contact_cost": 100.0}})
        found = of(tmp_path)
        assert found.population is not None
        assert (found.population.filter, found.population.inside) == ("plan is enterprise", 812)
        assert found.value is not None
        assert (found.value.gain.value, found.value.contact_cost, found.excluded) == (9.5, 100.0, ["plan"])


class TestReadCard:
    def test_without_a_card_it_is_made_of_the_report(self, tmp_path: Path, report: dict[str, Any]) -> None:
        """As version 0.2 left it: with NaN, and sentences in the place of findings."""
        old = {
            **report,
            "level_shift": float("nan"),
            "audit": ["closed_reason: gives it away"],
            "audit_advice": [],
            "gates": [{"name": "audit", "passed": True, "found": "", "needed": ""}],
        }
        written(tmp_path, old, name=card.REPORT)
        found = of(tmp_path)
        assert found.metrics["auc"].value == 0.8
        assert found.made_at is None
        assert found.by_band == []
        said = CardFinding(columns=[], evidence="closed_reason: gives it away", accepted="accepted in the model's file")
        assert found.audit == [said]

    def test_a_report_of_which_little_is_left(self, tmp_path: Path) -> None:
        written(tmp_path, {"version": 7}, name=card.REPORT)
        found = of(tmp_path)
        assert (found.sentence, found.ready, found.metrics) == ("Never judged.", False, {})

    def test_nothing_there(self, tmp_path: Path) -> None:
        assert read_card(tmp_path, CHURN, 7) is None

    @pytest.mark.parametrize(
        "report",
        [{"gates": [1]}, {"gates": "no"}, {"metrics": [1]}, {"periods": [1]}, {"one_column_rule": 5}, {"ready": "yes"}],
        ids=str,
    )
    def test_a_report_that_no_version_wrote(self, tmp_path: Path, report: dict[str, Any]) -> None:
        written(tmp_path, report, name=card.REPORT)
        with pytest.raises(Unreadable, match=r"churn-risk/v7/report\.json is not as"):
            read_card(tmp_path, CHURN, 7)

    def test_a_card_of_a_newer_version_is_not_replaced_by_the_report(
        self, tmp_path: Path, report: dict[str, Any]
    ) -> None:
        written(tmp_path, report, name=card.REPORT)
        card_file.write(card.place(tmp_path, "churn-risk", 7) / card.NAME, {}, schema=card_file.SCHEMA + 1)
        with pytest.raises(Newer):
            read_card(tmp_path, CHURN, 7)


class TestSentence:
    def report(self, **more: Any) -> dict[str, Any]:
        return {
            "verdict": "ready",
            "verdict_code": "ready",
            "ready": True,
            "capacity_share": 0.1,
            "base_rate": 0.062,
            "metrics": {"precision_at_capacity": {"value": 0.31}, "lift_at_capacity": {"value": 5.0}},
            "gates": [{"name": "signal", "passed": True}, {"name": "drift", "passed": False}],
            **more,
        }

    def test_of_one_that_is_ready(self) -> None:
        assert card.sentence(CHURN, self.report()) == (
            "Ready. Of the 10 % of accounts that it puts first, 31 % left within 90 days: 5.0 times as many as in a random draw (6.2 %)."
        )

    def test_of_a_refused_one_the_gates_are_named(self) -> None:
        refused = self.report(verdict="refused by its gates", verdict_code="refused", ready=False)
        assert card.sentence(CHURN, refused).startswith("Refused by its gates (drift). Of the 10 % of accounts")

    def test_of_one_without_a_signal_and_of_a_rule(self) -> None:
        assert card.sentence(CHURN, self.report(verdict_code="no_signal")).startswith("No signal found: these data")
        rule = self.report(verdict_code="rule_is_enough", one_column_rule={"rule": "age, lowest first"})
        assert card.sentence(CHURN, rule).startswith("A single rule is enough: age, lowest first.")
