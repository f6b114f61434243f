"""The audit reads names, families, pairs and gaps beside what one column shows; each guard has its twin without it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from features.audit import Finding, audit_table, families, named, together
from features.audit.names import reading_of, words_of
from tests.kit.audited_tables import Plan, draw, fair, length, money, part, ratio, words

LENGTHS = {"days_to_close": partial(length, longer=1.25), "days_qualified": part, "ratio_qualified": ratio}
HONEST = {"region": partial(words, values="a|b|c"), "amount": money, "visits": fair}


def at(findings: list[Finding], *severities: str) -> set[str]:
    return {c for f in findings if f.severity in severities for c in f.columns}


def base(n: int = 2_000, seed: int = 0, rate: float = 0.3) -> tuple[pd.DataFrame, np.ndarray, np.random.Generator]:
    """Two honest columns, and an outcome `won` that hangs on the first a little."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + 0.5 * size)))).astype(int)
    return pd.DataFrame({"size": size, "sector": rng.choice(["a", "b"], n), "won": y}), y, rng


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("CloseDate", "end"), ("closedate", "end"), ("hs_closed_amount", "end"), ("Churn Reason", "end"), ("winLossNotes", "end"),
            ("win_back_discount", "end"), ("cancel_requested_at", "end"), ("totalRefunded", "end"), ("Time to Resolution", "end"),
            ("Elapsed Days In Sales Stage", "step"), ("Ratio Days Qualified To Total Days", "step"), ("salescycleweeks", "step"),
            ("hs_time_in_presentationscheduled", "step"), ("days_to_purchase", "step"), ("actualvalue", "after"),
            ("final_invoice_amount", "after"), ("exit_survey", "end"), ("stepname", "state"), ("Customer Status", "state"), ("duration", "length"),
        ],
    )  # fmt: skip
    def test_what_is_known_at_the_end(self, name: str, kind: str) -> None:
        reading = reading_of(name)
        assert reading is not None
        assert reading.kind == kind
        assert set(reading.shown.split()) <= set(words_of(name)), "whole words of the name"

    @pytest.mark.parametrize(
        "name",
        [
            "tenure", "days_since_last_login", "expected_close_date", "tickets_closed_90d", "previous_cancellations", "win_rate", "days_to_renewal",
            "cancel_page_visits", "screen_resolution", "contract_end_date", "refunds_last_12_months", "years_in_business", "queue_length_at_open",
            "lead_time_days", "billing_cycle", "sector", "closest_branch", "wonder", "lostock_code", "trial_end_date_agreed", "promised_delivery_days",
        ],
    )  # fmt: skip
    def test_what_is_known_beforehand_says_nothing(self, name: str) -> None:
        assert reading_of(name) is None

    @pytest.mark.parametrize(
        ("name", "split"),
        [
            ("hs_closedLostReason2", ["hs", "closed", "lost", "reason", "2"]), ("actualclosedate", ["actual", "close", "date"]),
            ("SLABreached__c", ["sla", "breached"]), ("Ratio Days-Identified", ["ratio", "days", "identified"]), ("Größe", ["gr", "e"]), ("", []),
        ],
    )  # fmt: skip
    def test_whole_words(self, name: str, split: list[str]) -> None:
        assert words_of(name) == split


class TestNamesAndValues:
    def test_both_together_are_high_and_each_alone_is_less(self) -> None:
        table, y, rng = base()
        known, blind = rng.normal(size=len(y)) + 0.4 * y, rng.normal(size=len(y))
        table = table.assign(closing_score=known, closing_noise=blind, other=known)
        found = audit_table(table, "won")
        assert "closing_score" in at(found, "high")
        assert "closing_noise" in at(found, "medium") - at(found, "high")
        assert "other" not in at([f for f in found if f.code == "named_as_later"], "high", "medium")

    def test_a_history_is_not_accused(self) -> None:
        table, y, rng = base()
        table["refunds_last_year"] = rng.poisson(1 + 0.6 * y)
        assert "refunds_last_year" not in at(audit_table(table, "won"), "high")

    def test_the_twin_without_names_misses_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        table, y, rng = base()
        table["closing_score"] = rng.normal(size=len(y)) + 0.4 * y
        monkeypatch.setattr(named, "reading_of", lambda name: None)
        assert "closing_score" not in at(audit_table(table, "won"), "high", "medium")


class TestFilledForOne:
    @pytest.mark.parametrize("nothing", [np.nan, 0.0, -1.0, 999.0, "none", "n/a", ""])
    def test_money_that_moves_for_one_outcome(self, nothing: float | str) -> None:
        table, y, rng = base()
        there = rng.random(len(y)) < np.where(y == 1, 0.35, 0.004)
        amount = pd.Series(rng.lognormal(4, 1, len(y)).round())
        table["amt_7"] = (amount.astype(str) if isinstance(nothing, str) else amount).where(there, nothing)
        assert "amt_7" in at([f for f in audit_table(table, "won") if f.code == "filled_for_one_outcome"], "high")

    def test_what_is_only_more_often_there_is_no_such_finding(self) -> None:
        table, y, rng = base()
        table["phone"] = pd.Series(rng.normal(size=len(y))).where(rng.random(len(y)) < np.where(y == 1, 0.8, 0.4))
        assert "phone" not in at(
            [f for f in audit_table(table, "won") if f.code == "filled_for_one_outcome"], "high", "medium"
        )


class TestTogether:
    """Lengths as in opportunities: none of three looks good alone."""

    def lengths(self, renamed: bool = False) -> pd.DataFrame:
        names = dict(zip(LENGTHS, ("q1", "q2", "q3"), strict=True)) if renamed else {n: n for n in LENGTHS}
        leaks = {names[n]: make for n, make in LENGTHS.items()}
        return draw(Plan("lengths", "won", HONEST, leaks, rate=0.27), seed=3, rows=3_000).frame

    def test_lengths_and_their_ratio(self) -> None:
        found = audit_table(self.lengths(), "won")
        assert set(LENGTHS) <= at(found, "high")
        assert not set(HONEST) & at(found, "high")
        assert found == audit_table(self.lengths(), "won"), "the same findings again"

    def difference(self) -> pd.DataFrame:
        """Two lengths of which each says next to nothing; a third of the way between them says who won."""
        table, y, rng = base(4_000)
        first = rng.gamma(2, 12, len(y))
        second = first + rng.normal(scale=6, size=len(y)) + 4 * y
        return table.assign(days_in_stage_a=first, days_in_stage_b=second)

    def test_two_lengths_that_tell_by_their_difference(self) -> None:
        (finding,) = [f for f in audit_table(self.difference(), "won") if f.code == "known_together"]
        assert set(finding.columns) == {"days_in_stage_a", "days_in_stage_b"}
        assert finding.severity == "high"
        assert finding.numbers["auc"] > finding.numbers["without"] + 0.02
        assert all(name in finding.evidence for name in finding.columns), "the text names both, with the figures"

    def test_the_twin_without_pairs_misses_a_length(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(together, "known_together", lambda *_: [])
        monkeypatch.setattr(families, "along_with", lambda *_: [])
        assert not {"days_in_stage_a", "days_in_stage_b"} <= at(audit_table(self.difference(), "won"), "high")

    def test_a_pair_beyond_doubt_needs_no_names(self) -> None:
        table, y, rng = base(4_000)
        left = rng.random(len(y)) < 0.5
        table["p"], table["q"] = left.astype(int) + rng.normal(scale=0.1, size=len(y)), (left ^ (y == 1)).astype(int)
        assert {"p", "q"} <= at([f for f in audit_table(table, "won") if f.code == "known_together"], "high")

    def test_a_family_that_knows_more_than_its_best(self) -> None:
        """The names of three steps; each is noise but for a small part, and the sum of the three is what the outcome moves."""
        table, y, rng = base(4_000)
        for step in ("stage_one", "stage_two", "stage_three"):
            table[f"hours_in_{step}"] = rng.normal(size=len(y)) + 0.35 * y
        found = [f for f in audit_table(table, "won") if f.code == "family_knows"]
        assert [(f.severity, len(f.columns)) for f in found] == [("high", 3)]
        assert found[0].numbers["auc"] > found[0].numbers["without"] + 0.02

    def test_columns_that_only_add_up_are_no_pair(self) -> None:
        rng = np.random.default_rng(5)
        x = rng.normal(size=(4_000, 4))
        y = (rng.random(4_000) < 1 / (1 + np.exp(1 - x.sum(axis=1)))).astype(int)
        table = pd.DataFrame(x, columns=list("abcd")).assign(y=y)
        assert [f for f in audit_table(table, "y") if f.code == "known_together"] == []

    def test_an_honest_column_beside_a_leak_is_not_named(self) -> None:
        table, y, rng = base(4_000)
        table["note"] = rng.normal(size=len(y)) + 2.2 * y
        table["honest"] = rng.normal(size=len(y)) + 0.9 * y
        found = audit_table(table, "won")
        assert "note" in at(found, "high")
        assert "honest" not in at(found, "high")

    def test_the_cost_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(6)
        wide = pd.DataFrame(
            rng.normal(size=(400, 60)), columns=[f"days_in_stage_{chr(97 + n % 26)}{n}" for n in range(60)]
        )
        asked: list[int] = []
        monkeypatch.setattr(together, "crossed_auc", lambda x, y, fold, leaves: asked.append(x.shape[1]) or 0.5)
        audit_table(wide.assign(y=rng.integers(0, 2, 400)), "y")
        most = together.MOST_NAMED * (together.MOST_NAMED - 1) // 2 + together.JUDGED_PAIRS
        assert 0 < len(asked) <= 4 * most


class TestFamilies:
    def found(self) -> list[Finding]:
        table, y, rng = base(3_000)
        there = rng.random(len(y)) < np.where(y == 1, 0.8, 0.02)
        whole = rng.gamma(2, 15, len(y)) + 25 * y
        shared = rng.random(len(y)) > 0.3
        table = table.assign(
            cancel_reason=pd.Series(rng.choice(["a", "b"], len(y))).where(there),
            box_9=pd.Series(rng.normal(size=len(y))).where(there),
            takeout_1=pd.Series(rng.choice(["u", "v"], len(y))).where(there & (rng.random(len(y)) < 0.9)),
            takeout_2=rng.normal(size=len(y)),
            days_to_close=whole,
            weekly=whole / 7,
            firm_age=pd.Series(rng.normal(size=len(y))).where(shared),
            firm_size=pd.Series(rng.normal(size=len(y))).where(shared),
        )
        return audit_table(table, "won")

    def test_what_goes_along_is_raised(self) -> None:
        found = self.found()
        assert "box_9" in at(found, "high"), "filled in on the same rows"
        assert "weekly" in at(found, "high"), "computed from it"
        along = [f for f in found if f.code == "goes_with_a_leak"]
        assert "takeout_2" in at(along, "medium"), "its name begins alike"
        assert not {"firm_age", "firm_size", "size", "sector"} & at(found, "high")
        assert not {"firm_age", "firm_size", "size", "sector"} & at(along, "medium")

    def test_the_twin_without_families_misses_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(families, "along_with", lambda *_: [])
        assert "takeout_2" not in at(self.found(), "high", "medium")

    def test_a_ratio_with_a_proven_length_is_raised(self) -> None:
        table, y, rng = base(3_000)
        whole = rng.gamma(2, 15, len(y)) + 25 * y
        quarter = rng.random(len(y)) * whole
        table = table.assign(days_to_close=whole, v1=quarter, v2=(quarter / whole).round(3))
        found = [f for f in audit_table(table, "won") if f.code == "goes_with_a_leak"]
        assert "v2" in at(found, "high")
        assert any(
            "v1 / days_to_close" in f.evidence or "days_to_close / v1" in f.evidence or "/ (turned)" in f.evidence
            for f in found
        )

    def test_one_that_is_good_alone_accuses_no_other(self) -> None:
        honest = Finding("too_good", "high", ("a_b",), "", "", {"auc": 0.85})
        assert not families.proves(honest)
        assert families.proves(Finding("too_good", "high", ("a_b",), "", "", {"auc": 0.95}))


class TestTroubledTables:
    """Columns without values, of one value, of infinite ones, of mixed types: an answer, no traceback."""

    @pytest.mark.parametrize(
        "column",
        [
            pd.Series([None] * 2_000, dtype="float64"), pd.Series([None] * 2_000, dtype=object), pd.Series([np.inf, 1.0] * 1_000),
            pd.Series([1, "a"] * 1_000, dtype=object), pd.Series([True, None] * 1_000, dtype="boolean"), pd.Series([5, None] * 1_000, dtype="Int64"),
            pd.Series(pd.Categorical(["a", "b"] * 1_000)),
        ],
        ids=lambda column: str(column.dtype),
    )  # fmt: skip
    def test_beside_a_column_that_is_compared_with_all_others(self, column: pd.Series) -> None:  # type: ignore[type-arg]
        table, y, rng = base()
        strong = rng.normal(size=len(y)) + 1.35 * y  # between the two limits, so that the others are the measure
        found = audit_table(table.assign(strong=strong, closing=column), "won")
        assert "strong" in at(found, "high", "medium")

    def test_few_rows(self) -> None:
        table = pd.DataFrame({"days_to_close": [1.0, 2.0, 3.0], "won": [0, 1, 0]})
        assert isinstance(audit_table(table, "won"), list)
