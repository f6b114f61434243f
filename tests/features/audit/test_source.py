"""The audit of a source: its proof catches signals that look ahead, and it stays quiet on the sample company."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.audit import source as source_audit
from features.audit.raw import raw_findings
from features.audit.source import audit_source, leaking_signals, table_findings
from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from features.outcomes.labels import label
from features.outcomes.read import read_outcomes
from features.panel.build import build_panel
from features.readiness.labelled_rows import labelled_rows
from features.simulate import simulate
from features.sources.loader import open_source
from features.sources.source import Source
from features.sources.time_bounds import Bounds
from models.catalog import MODELS
from models.definition import Model
from tests.kit.company import at, make_source, random_company

CHURN, FIT = MODELS["churn-risk"], MODELS["lead-fit"]


AS_OF = at("2024-05-16")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("sample")
    simulate(folder, accounts=800, leads=2500, usage_events=100_000)
    return open_source("sample", folder)


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A company in which every table has rows exactly at `AS_OF` and after."""
    tables = random_company(3, accounts=8)
    for rows in tables.values():
        rows += [row | {"event_time": AS_OF, "known_time": None} for row in rows[::3]]
    tables["costs"] = [{"month": AS_OF, "kind": "sales", "amount": 5.0, "currency": "EUR"}]
    tables["rates"] = [{"date": at("2024-05-01"), "currency": "EUR", "rate": 1.1}]
    return make_source(tmp_path_factory.mktemp("tied"), tables)


class TestSampleCompany:
    @pytest.mark.parametrize("question", [CHURN, FIT], ids=lambda q: q.name)
    def test_raises_no_alarm_of_high_severity(self, sample: Source, question: Any) -> None:
        audited = audit_source(sample, question)
        assert audited.rows > 300
        assert [f for f in audited.findings if f.severity == "high"] == []

    @pytest.mark.parametrize("model", [CHURN, FIT, MODELS["expansion"]], ids=lambda m: m.name)
    def test_its_labels_are_those_of_training(self, sample: Source, model: Model) -> None:
        outcomes = read_outcomes(sample, model.outcome)
        dates = source_audit._dates(sample, model, outcomes)
        panel = build_panel(sample, model.entity, dates, only=[], outcomes=[model.outcome])
        audited = source_audit._labelled(model, outcomes, panel)
        assert audited is not None
        learnt = labelled_rows(sample, model)
        trained = pd.Series(learnt.y, pd.MultiIndex.from_arrays([learnt.entity_id, learnt.as_of]))
        asked = audited[1].set_index(["entity_id", "as_of_us"])["y"]
        both = asked.index.intersection(trained.index)
        assert len(both) == len(asked) > 100, "the audit asks of nobody whom training does not know"
        assert (asked[both] == trained[both]).all()
        assert asked.sum() > 10
        # The twin: of another horizon they differ.
        other = label(outcomes, [i for i, _ in both], np.array([t for _, t in both]), 14 * DAY_US)
        assert (other != trained[both].to_numpy()).any()


class TestProofAsOfTime:
    @pytest.mark.parametrize("question", [CHURN, FIT], ids=lambda q: q.name)
    def test_no_signal_looks_ahead(self, tied: Source, question: Any) -> None:
        assert leaking_signals(tied, question, AS_OF) == []

    def test_catches_a_window_that_is_closed_at_as_of(self, tied: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sabotage: `event_time <= as_of`, by moving every event a microsecond back before it is placed.

        The bound to which events are read stands before that: it is moved by as much.
        """
        from features.panel import placement
        from features.panel.engines import DuckDBEngine

        strict, as_it_is = DuckDBEngine.table, placement.events

        def further(self: Any, *more: Any) -> Any:
            moved: list[Any] = [
                replace(m, until_us=m.until_us + 1) if isinstance(m, Bounds) and m.until_us else m for m in more
            ]
            return strict(self, *moved)

        def closed(rows: str, *more: Any, **known: Any) -> str:
            back = "event_us - 1 AS event_us, visible_us - 1 AS visible_us"
            return as_it_is(f"(SELECT * REPLACE ({back}) FROM {rows})", *more, **known)

        monkeypatch.setattr(placement, "events", closed)
        monkeypatch.setattr(DuckDBEngine, "table", further)
        found = leaking_signals(tied, CHURN, AS_OF)
        assert {"events_28d", "inbound_touches_28d"} <= {f.columns[0] for f in found}
        assert all(f.is_proof and f.severity == "high" for f in found)

    def test_catches_an_end_that_is_read_early(self, tied: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sabotage: a contract is read as it turned out, not as it was known."""
        import narwhals as nw

        from features.panel import point_in_time

        def as_it_turned_out(engine: Any, versions: Any, as_ofs: Any, agos: Any) -> Any:
            epochs, moments, days = zip(*point_in_time.moments_of(as_ofs, agos), strict=True)
            rows = engine.joined(versions, engine.small({"epoch_us": epochs, "as_of_us": moments, "ago": days}))
            return rows.filter((nw.col("created_us") < nw.col("as_of_us")) & (nw.col("until_us") == 2**62))

        monkeypatch.setattr(point_in_time, "states_at", as_it_turned_out)
        assert "mrr" in {f.columns[0] for f in leaking_signals(tied, CHURN, AS_OF)}


class TestTables:
    def test_last_states_are_told_from_dated_changes(self, tmp_path: Path) -> None:
        accounts = [{"account_id": f"a{n}", "event_time": at("2023-01-01")} for n in range(100)]
        begun = [
            {
                "subscription_id": f"s{n}",
                "account_id": f"a{n}",
                "event_time": at("2024-01-01"),
                "status": "active",
                "mrr": 9.0,
            }
            for n in range(100)
        ]
        ended = [c | {"event_time": at("2024-03-01"), "status": "ended"} for c in begun]
        honest = make_source(tmp_path / "honest", {"accounts": accounts, "subscriptions": begun + ended[:60]})
        final = [c | {"status": "ended"} for c in begun[:60]] + begun[60:]
        leaking = make_source(tmp_path / "leaking", {"accounts": accounts, "subscriptions": final})
        assert table_findings(honest) == []
        found = table_findings(leaking)
        assert [(f.code, f.severity, f.columns) for f in found] == [
            ("ended_from_the_start", "high", ("subscriptions.status",))
        ]

    @pytest.mark.parametrize("honest", [True, False])
    def test_wins_by_their_close_date_are_no_last_states(self, tmp_path: Path, honest: bool) -> None:
        """One row for each deal: a win at the day on which it was won, or at the day on which the deal began, 60 days before."""
        first = at("2024-01-01")
        begun = [first + dt.timedelta(days=n / 2) for n in range(800)]
        end, length = first + dt.timedelta(days=400), dt.timedelta(days=60)
        over = [day + length < end for day in begun]
        deals = [
            {
                "opportunity_id": f"o{n}",
                "account_id": "a",
                "stage": "x",
                "status": "won" if won else "open",
                "event_time": day + length if won and honest else day,
            }
            for n, (day, won) in enumerate(zip(begun, over, strict=True))
        ]
        accounts = [{"account_id": "a", "event_time": first}, {"account_id": "a", "event_time": end}]
        found = table_findings(make_source(tmp_path, {"accounts": accounts, "opportunities": deals}))
        assert [f.code for f in found] == ([] if honest else ["ended_from_the_start"])

    def test_late_and_repeated_rows_are_found(self, tmp_path: Path) -> None:
        event = {"account_id": "a", "feature": "x"}
        usage = [event | {"event_time": at("2024-01-01") + dt.timedelta(hours=n)} for n in range(200)]
        usage += [u | {"known_time": u["event_time"] + dt.timedelta(days=20)} for u in usage[:50]]
        tables = {"accounts": [{"account_id": "a", "event_time": at("2023-01-01")}], "usage": usage + usage[:100]}
        found = {f.code: f for f in table_findings(make_source(tmp_path, tables))}  # type: ignore[arg-type]
        assert found["arrives_late"].severity == "medium"
        assert found["arrives_late"].numbers["days"] == 20.0
        assert found["repeated_rows"].numbers["rows"] == 100

    def test_a_source_without_an_outcome_is_refused(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(UserMistake, match="which record the outcome"):
            audit_source(source, CHURN)


def test_tables_of_figures_are_no_matter_of_the_audit(tied: Source) -> None:
    """Costs and rates have no entity and no moment at which a row is visible; the proof of signals goes without them."""
    assert {"costs", "rates"} <= set(tied.tables)
    assert not {"costs", "rates"} & {name for f in source_audit.table_findings(tied) for name in f.columns}
    assert not [f for f in raw_findings(tied, CHURN, None) if f.columns[0].startswith(("costs", "rates"))]
