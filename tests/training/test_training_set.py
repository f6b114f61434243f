"""Labelled rows out of a source: which dates, whose rows, and what is refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from features.kit.errors import BadInput
from features.readiness.labelled_rows import labelled_rows, observed
from features.simulate import simulate
from features.sources.loader import open_source
from features.sources.source import Source
from models.catalog import get_model
from models.definition import Model
from models.population import EVERYBODY, Population, where
from tests.kit.company import ACCOUNT_SIGNALS, all_but, at, make_source
from training.errors import TrainingRefused
from training.training_set import Panel, labelled_panel


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, accounts=400, leads=100, days=730, end=dt.date(2026, 1, 1), seed=7, usage_events=20_000)
    return folder


@pytest.fixture(scope="module")
def calendar(company: Path) -> Panel:
    """Of churn-risk, by calendar; of some signals: what it is about is its rows."""
    return labelled_panel(open_source("sample", company), some_signals(company))


def some_signals(company: Path, **more: object) -> Model:
    model = get_model("churn-risk")
    return replace(model, exclude=all_but(open_source("sample", company), model, *ACCOUNT_SIGNALS), **more)  # type: ignore[arg-type]


LARGER = where("plan").is_in("team", "business")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, accounts=250, leads=60, days=560, end=dt.date(2026, 1, 1), usage_events=10_000, seed=7)
    return open_source("sample", folder)


def narrowed(population: Population, **more: object) -> Model:
    # Two themes: what these tests are about is the rows.
    return replace(get_model("churn-risk"), population=population, themes=("firmographic", "commercial"), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def everybody(source: Source) -> Panel:
    return labelled_panel(source, narrowed(EVERYBODY))


@pytest.fixture(scope="module")
def part(source: Source) -> Panel:
    return labelled_panel(
        source,
        narrowed(
            LARGER,
        ),
    )


class TestBeforeRenewal:
    def test_each_account_once_per_term_with_time_to_act(self, company: Path, calendar: Panel) -> None:
        panel = labelled_panel(open_source("sample", company), some_signals(company, lead_days=60))
        away = panel.table["days_to_renewal"].to_numpy()
        assert away.min() >= 60
        assert away.max() < 67
        rows = pd.DataFrame({"id": panel.rows.entity_id, "time": panel.rows.time}).sort_values(["id", "time"])
        again = rows.groupby("id")["time"].diff().dropna()
        assert (again > 60 * 86_400_000_000).all(), "a term is seen once"
        assert len(panel.rows) > 60
        assert "60 to 66 days before" in " ".join(panel.notes)
        # The twin on the calendar grid sees renewals at any distance.
        assert np.nanmin(calendar.table["days_to_renewal"].to_numpy()) < 60

    def test_a_source_without_terms_is_refused_with_the_next_step(self, tmp_path: Path) -> None:
        accounts = [{"account_id": f"a{i}", "event_time": at("2023-01-01")} for i in range(40)]
        labels = [{"account_id": "a1", "churned": True, "event_time": at("2024-01-05")}]
        usage = [{"account_id": "a0", "event_time": at(d)} for d in ("2023-01-01", "2025-01-01")]
        source = make_source(tmp_path / "s", {"accounts": accounts, "churn_labels": labels, "usage": usage})
        with pytest.raises(TrainingRefused, match=r"offers no signal days_to_renewal.*set lead_days to None"):
            labelled_panel(source, replace(get_model("churn-risk"), lead_days=30))


class TestPanel:
    def test_windows_are_over_and_signals_are_older_than_outcomes(self, company: Path, calendar: Panel) -> None:
        source, definition, panel = open_source("sample", company), get_model("churn-risk"), calendar
        assert panel.rows.time is not None
        last = source.span[1] - dt.timedelta(days=definition.horizon_days + 30)
        assert max(panel.dates) <= last.date()
        assert set(np.unique(panel.rows.y)) == {0.0, 1.0}
        newest = panel.rows.time[panel.split.before_test].max()
        assert set(panel.rows.time[panel.population]) == {newest}

    def test_a_short_history_is_refused_with_what_would_work(self, tmp_path: Path) -> None:
        simulate(tmp_path, accounts=60, leads=200, days=250, end=dt.date(2026, 1, 1), seed=1)
        with pytest.raises(
            TrainingRefused,
            match=r"its history: \d+ days with known outcomes after the warm-up.*horizon of at most \d+ days",
        ):
            labelled_panel(open_source("sample", tmp_path), get_model("churn-risk"))

    def test_a_snapshot_is_split_by_the_order_of_creation(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        days = [at("2024-01-01") + dt.timedelta(hours=int(h)) for h in range(400)]
        visits = rng.integers(0, 9, 400)
        leads = [
            {
                "lead_id": f"l{i:03}",
                "event_time": day,
                "status": "open",
                "channel": "paid" if visits[i] > 4 else "organic",
            }
            for i, day in enumerate(days)
        ]
        labels = [{"lead_id": f"l{i:03}", "converted": bool(rng.random() < visits[i] / 10)} for i in range(400)]
        panel = labelled_panel(
            make_source(tmp_path / "s", {"leads": leads, "lead_labels": labels}), get_model("lead-fit")
        )
        assert len(panel.rows) == 400
        assert panel.split.in_time
        assert "optimistic" in panel.notes[0]
        test = set(panel.rows.entity_id[panel.split.test])
        assert min(test) > max(panel.rows.entity_id[panel.split.before_test])


class TestRows:
    def test_only_its_population_is_learnt_from_judged_and_referred_to(self, everybody: Panel, part: Panel) -> None:
        plans = np.array(part.table["plan"].to_pylist())
        assert set(plans) == {"team", "business"}
        # The twin: without a population there are others, and exactly they are left out.
        inside = np.isin(np.array(everybody.table["plan"].to_pylist(), dtype=object), ["team", "business"])
        assert 0 < inside.sum() < len(inside)
        assert part.rows.entity_id.tolist() == everybody.rows.entity_id[inside].tolist()
        assert part.counts["labelled"] + part.counts["outside_population"] == everybody.counts["labelled"]
        newest = part.table.take(part.population)
        assert len(set(newest["as_of"].to_pylist())) == 1
        assert set(newest["plan"].to_pylist()) <= {"team", "business"}

    def test_it_says_whom_it_is_for_and_how_many(self, everybody: Panel, part: Panel) -> None:
        inside, eligible = part.inside
        assert inside == len(set(part.rows.entity_id))
        assert part.notes[0] == (
            f"Learnt from and judged by {inside} of {eligible} eligible accounts; population: plan is team or business."
        )
        assert inside < eligible
        assert "population" not in everybody.notes[0]

    def test_the_value_is_that_of_the_moment(self, source: Source) -> None:
        """An account is in it at the dates at which its signal says so, and no date later."""
        dates = [dt.datetime(2025, m, 1, tzinfo=dt.UTC) for m in (3, 9)]
        table = observed(source, narrowed(where("tenure_days").at_least(200)), dates, ["tenure_days"], "duckdb")
        outside = pc.equal(table["eligibility"], "outside_population").to_numpy()
        eligible = pc.equal(table["eligibility"], "eligible").to_numpy()
        tenure = table["tenure_days"].to_numpy()
        assert (tenure[eligible] >= 200).all()
        assert not (tenure[outside] >= 200).any()
        ids = np.array(table["entity_id"].to_pylist())
        assert set(ids[outside]) & set(ids[eligible]), "nobody grew into it"

    def test_what_it_reads_need_be_no_input(self, source: Source) -> None:
        rows = observed(source, narrowed(LARGER), [dt.datetime(2025, 6, 1, tzinfo=dt.UTC)], ["mrr"], "duckdb")
        assert rows.column_names == ["entity_id", "as_of", "eligibility", "value", "mrr"]
        assert {"eligible", "outside_population"} <= set(rows["eligibility"].to_pylist())


class TestFaults:
    def test_all_at_once_before_anything_is_learnt(self, source: Source) -> None:
        wrong = where("plann").is_in("team") & where("plan").at_least(3)
        with pytest.raises(BadInput, match=r"churn-risk: 2 faults") as told:
            labelled_rows(source, narrowed(wrong))
        assert [f.where for f in told.value.faults] == [
            f"models/churn_risk.py, field population, {name}" for name in ("plann", "plan")
        ]

    def test_a_word_that_the_source_does_not_have(self, source: Source) -> None:
        with pytest.raises(BadInput, match=r"'buisness', which no row has.*Next: write one of business"):
            labelled_rows(source, narrowed(where("plan").is_in("buisness")))
