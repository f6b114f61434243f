"""Labels that a source delivers ready, and what they are refused for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.labels import OutcomesRefused, label
from features.outcomes.read import read_outcomes
from features.sources.source import Source
from tests.kit.company import at, make_source
from tests.kit.outcomes import conversion_of


class TestReadyOutcomes:
    def test_a_snapshot_has_one_label_per_entity(self, tmp_path: Path) -> None:
        outcomes = conversion_of(
            tmp_path,
            lead_labels=[{"lead_id": "direct", "converted": True}, {"lead_id": "by_account", "converted": False}],
        )
        y = label(outcomes, ["direct", "by_account", "free_mail"], np.zeros(3, np.int64), 1)
        assert y[:2].tolist() == [1, 0]
        assert np.isnan(y[2])

    def test_contradicting_labels_are_refused(self, tmp_path: Path) -> None:
        both = [{"lead_id": "direct", "converted": value} for value in (True, False)]
        with pytest.raises(OutcomesRefused, match="1 entities are both converted and not, such as 'direct'"):
            conversion_of(tmp_path, lead_labels=both)

    def test_labels_of_strangers_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OutcomesRefused, match="none of its 1 lead_id is in the table of its entity"):
            conversion_of(tmp_path, lead_labels=[{"lead_id": "nobody", "converted": True}])

    def test_outcomes_before_their_entity_existed_are_refused(self, tmp_path: Path) -> None:
        early = {"lead_id": "direct", "converted": True, "event_time": at("2023-01-01")}
        with pytest.raises(OutcomesRefused, match=r"1 of 1 outcomes \(100%\) are dated before"):
            conversion_of(tmp_path, lead_labels=[early])


class TestContradictions:
    def company(self, folder: Path, left_on: str, contracts_end: bool) -> Source:
        accounts = [{"account_id": f"a{i}", "event_time": at("2023-01-01")} for i in range(60)]
        versions = [
            {"subscription_id": f"s{i}", "account_id": f"a{i}", "event_time": at(when), "status": status, "mrr": mrr}
            for i in range(60)
            for when, status, mrr in [
                ("2023-01-01", "active", 9.0),
                *([(left_on, "ended", 0.0)] if contracts_end else []),
            ]
        ]
        labels = [{"account_id": f"a{i}", "churned": True, "event_time": at(left_on)} for i in range(40)]
        usage = [{"account_id": "a0", "event_time": at(d)} for d in ("2023-01-01", "2025-01-01")]
        return make_source(
            folder, {"accounts": accounts, "subscriptions": versions, "churn_labels": labels, "usage": usage}
        )

    def test_departures_after_which_the_contract_runs_on_are_refused(self, tmp_path: Path) -> None:
        source = self.company(tmp_path / "s", "2024-01-01", contracts_end=False)
        with pytest.raises(
            OutcomesRefused, match=r"40 of 40 departures .* a paid contract runs on.*leave out churn_labels"
        ):
            read_outcomes(source, CHURN)

    def test_departures_that_the_contracts_confirm_are_taken(self, tmp_path: Path) -> None:
        found = read_outcomes(self.company(tmp_path / "s", "2024-01-01", contracts_end=True), CHURN)
        assert len(found.events) == 40
        assert found.notes == ()

    def test_conversions_whose_deals_were_all_lost_are_refused(self, tmp_path: Path) -> None:
        leads = [{"lead_id": f"l{i}", "event_time": at("2024-01-01"), "status": "open"} for i in range(50)]
        labels = [{"lead_id": f"l{i}", "converted": i < 25, "event_time": at("2024-02-01")} for i in range(50)]
        deals = [
            {
                "opportunity_id": f"o{i}",
                "lead_id": f"l{i}",
                "event_time": at("2024-02-01"),
                "status": "lost",
                "stage": "x",
            }
            for i in range(50)
        ]
        source = make_source(tmp_path / "s", {"leads": leads, "lead_labels": labels, "opportunities": deals})
        with pytest.raises(OutcomesRefused, match=r"25 of 25 conversions .* every deal of the lead was lost"):
            read_outcomes(source, CONVERSION)
        won = [{**deal, "status": "won" if i < 25 else "lost"} for i, deal in enumerate(deals)]
        agreed = make_source(tmp_path / "t", {"leads": leads, "lead_labels": labels, "opportunities": won})
        assert len(read_outcomes(agreed, CONVERSION).events) == 25
