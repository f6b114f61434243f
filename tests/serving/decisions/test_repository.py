"""Decision records: how they are kept, and which of them are an entity's story."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import func, insert, select

from features.kit.clock import AHEAD_US, SKEW_US
from models.scorer.reason_texts import Reason
from serving.decisions import repository as history
from serving.decisions.earlier_rows import Old
from serving.privacy import repository as privacy
from serving.store import version_counters
from serving.store.connect import Store
from serving.store.tables import decisions, signals
from tests.kit.store_rows import decision, signal_row

NOW = 10**15


def record(as_of: int, cause: str = "request", name: str = "acme", **more: Any) -> dict[str, Any]:
    row = {**decision(name), "as_of": as_of, "recorded_at": as_of, "cause": cause, "probability": 0.5, "score": 50}
    return {**row, "band": "low", **more}


def put(store: Store, *rows: dict[str, Any]) -> None:
    with store.write() as connection:
        history.put(connection, rows)


def moments(store: Store, **more: Any) -> list[int]:
    found = history.newest(store, "account", "acme", None, 100, NOW, **more)
    return [row["as_of"] for row in found]


@pytest.mark.both_databases
class TestPut:
    def test_many_rows_are_stored_each_once(self, store: Store) -> None:
        put(store, *(record(n) for n in range(256 + 64 + 16 + 4 + 3)))
        with store.read() as connection:
            assert connection.execute(select(func.count(decisions.c.as_of.distinct()))).scalar() == 343
            assert connection.execute(select(func.count(decisions.c.id))).scalar() == 343

    def test_erased_entities_are_left_out_and_that_is_said(self, store: Store) -> None:
        with store.write() as connection:
            privacy.erase(connection, "account", "gone", 1)
            assert history.put(connection, [record(1, name="gone"), record(2)]) is False
            assert history.put(connection, [record(3)]) is True
        with store.read() as connection:
            assert connection.execute(select(decisions.c.entity_id)).scalars().all() == ["acme", "acme"]

    def test_they_are_looked_up_again_when_somebody_was_erased_since(self, store: Store) -> None:
        with store.write() as connection:
            before = version_counters.of(connection, privacy.GENERATION)
            privacy.erase(connection, "account", "gone", 1)
            assert history.put(connection, [record(1, name="gone")], checked_at=before) is False

    def test_a_record_without_an_entity_is_kept(self, store: Store) -> None:
        put(store, record(1, entity_id=None))
        with store.read() as connection:
            assert connection.execute(select(decisions.c.entity_id)).scalars().all() == [None]


class TestNewest:
    def test_by_moment_the_newest_first_and_of_equals_the_last_one(self, store: Store) -> None:
        put(store, record(2, score=1), record(3), record(2, score=2))
        found = history.newest(store, "account", "acme", None, 100, NOW)
        assert [(row["as_of"], row["score"]) for row in found] == [(3, 50), (2, 2), (2, 1)]
        assert len(history.newest(store, "account", "acme", None, 2, NOW)) == 2
        assert history.newest(store, "account", "acme", "lead-fit", 100, NOW) == []

    def test_what_ifs_come_on_demand(self, store: Store) -> None:
        put(store, record(1), record(2, history.WHAT_IF))
        assert (moments(store), moments(store, what_if=True)) == ([1], [2, 1])

    def test_a_moment_after_the_clock_is_left_out(self, store: Store) -> None:
        put(store, record(NOW + AHEAD_US), record(NOW + AHEAD_US + 1))
        assert moments(store) == [NOW + AHEAD_US]

    def test_a_nightly_run_for_a_moment_after_its_own_clock_is_never_part_of_the_story(self, store: Store) -> None:
        put(store, record(5 + SKEW_US, "batch", recorded_at=5), record(6 + SKEW_US, "batch", recorded_at=5))
        assert moments(store) == [5 + SKEW_US]


class TestNewestScored:
    def scored(self, store: Store, up_to: int | None = None, **more: Any) -> int | None:
        found = history.newest_scored(store, "churn-risk", "account", "acme", up_to, NOW, **more)
        return None if found is None else int(found["as_of"])

    def test_one_without_a_number_is_passed_over(self, store: Store) -> None:
        put(store, record(1), record(2), record(3, probability=None), record(4, history.WHAT_IF))
        assert (self.scored(store), self.scored(store, what_if=True), self.scored(store, 1)) == (2, 4, 1)
        assert self.scored(store, 0) is None

    def test_one_record_can_be_left_out(self, store: Store) -> None:
        put(store, record(1), record(2))
        newest = history.newest_scored(store, "churn-risk", "account", "acme", None, NOW)
        assert newest is not None
        assert self.scored(store, not_id=newest["id"]) == 1


class TestNewestBetween:
    def test_both_ends_are_left_out_and_so_is_who_has_no_signals(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row(name, 1) for name in ("acme", "beta", "unscored")])
        put(store, *(record(n) for n in (5, 6, 9, 10)), record(7, name="beta"), record(8, name="no-signals"))
        with store.read() as connection:
            ids = ["acme", "beta", "unscored", "no-signals"]
            assert history.newest_between(connection, "churn-risk", "account", ids, 5, 10) == {"acme": 9, "beta": 7}
            assert history.newest_between(connection, "lead-fit", "account", ids, 5, 10) == {}


class TestOne:
    def test_an_id_that_no_record_can_have_is_none(self, store: Store) -> None:
        put(store, record(1))
        found = history.one(store, 1)
        assert found is not None
        assert found["as_of"] == 1
        assert [history.one(store, number) for number in (0, -1, 2, 2**63, 2**200)] == [None] * 5


class TestForgetRun:
    def test_only_that_runs_records_of_those_entities_go(self, store: Store) -> None:
        put(store, record(1, run_id="a"), record(2, run_id="b"), record(3, run_id="a", name="beta"))
        with store.write() as connection:
            history.forget_run(connection, "a", "churn-risk", ["acme", "nobody"])
            assert connection.execute(select(decisions.c.as_of).order_by(decisions.c.as_of)).scalars().all() == [2, 3]


class TestDecision:
    REASON = Reason("seats", "usage", 0.25, "up", 0.8, 1.0, "A quarter of the seats is used.")

    def row(self, **more: Any) -> dict[str, Any]:
        nothing: dict[str, Any] = dict.fromkeys(
            ("run_id", "version", "probability", "score", "band", "no_score", "value")
        )
        return history.decision(
            model="churn-risk",
            entity="account",
            entity_id="acme",
            as_of_us=7,
            recorded_at_us=8,
            cause="request",
            scorer="x",
            reasons=[self.REASON],
            inputs=["ff", 1],
            **{**nothing, **more},
        )

    def test_its_reasons_are_read_as_they_were_written(self) -> None:
        assert history.reasons_of(self.row()) == [self.REASON]

    def test_reasons_of_the_older_form_get_their_direction(self) -> None:
        older = {name: getattr(self.REASON, name) for name in ("signal", "theme", "value", "effect", "share", "text")}
        kept = msgspec.json.encode([older, {**older, "effect": -0.5}])
        assert [reason.direction for reason in history.reasons_of({"reasons": kept})] == ["up", "down"]

    def test_old_rows_are_found_by_the_moment_that_they_are_of(self) -> None:
        row = self.row(old_rows={5: Old({"seats": 1.0}, {"plan": None}), 6: Old()})
        assert history.old_rows_of(row, 5) == Old({"seats": 1.0}, {"plan": None})
        assert history.old_rows_of(row, 6) == Old()
        assert history.old_rows_of(row, 7) is None
        assert history.old_rows_of(self.row(), 5) is None
