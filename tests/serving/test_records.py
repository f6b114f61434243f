"""Decision records: they replay to the bit, tell why a score moved and where it is going, and know a what-if from what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select, update

from features.kit.clock import to_us
from features.kit.errors import UserMistake
from serving.decisions import repository as history
from serving.replay.service import replay
from serving.scorer_cache import KeptScorers, ScorerGone
from serving.store.tables import decisions, inbox
from tests.kit.account import ask, refused, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside

DAY = 86_400_000_000


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("records") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


class TestReplay:
    def newest(self, inside: Inside, name: str) -> int:
        return int(inside.client.get(f"/v1/account/{name}/scores?what_if=true").json()["scores"][0]["id"])

    def test_a_record_gives_the_same_number_to_the_bit(self, inside: Inside) -> None:
        store_signals(inside, "p1")
        ask(inside, "p1", signals={"number_2": 0.1 + 0.2, "word_1": "never seen"})
        scorers = KeptScorers(inside.state.settings.base.home)
        number = self.newest(inside, "p1")
        done = replay(inside.state.store, scorers, number)
        assert done.same
        assert done.probability is not None
        sabotages: list[dict[str, Any]] = [
            {"probability": float.fromhex(done.probability.hex()) + 1e-16}, {"score": (done.score or 0) + 1},
            {"inputs": b"{}"}, {"inputs": b'["ff", 1]'}, {"inputs": b"[1]"}, {"inputs": b"1"}, {"band": "purple"},
        ]  # fmt: skip
        for values in sabotages:
            with inside.writing() as connection:
                kept = connection.execute(select(decisions).where(decisions.c.id == number)).mappings().one()
                connection.execute(update(decisions).where(decisions.c.id == number).values(**values))
            assert not replay(inside.state.store, scorers, number).same
            with inside.writing() as connection:
                connection.execute(update(decisions).where(decisions.c.id == number).values(**kept))

    def test_records_of_the_older_form_are_read_and_replay(self, inside: Inside) -> None:
        """Inputs as an object by name, reasons as objects: so they were kept before revision 0004."""
        store_signals(inside, "p3")
        ask(inside, "p3")
        number, scorers = self.newest(inside, "p3"), KeptScorers(inside.state.settings.base.home)
        shown = inside.client.get("/v1/account/p3/scores").json()
        row = history.one(inside.state.store, number)
        assert row is not None
        inputs = history.inputs_of(row, scorers.get(row["model"], row["scorer"]))
        assert len(inputs) > 3
        older = [{k: v for k, v in reason.items() if k != "direction"} for reason in shown["scores"][0]["reasons"]]
        assert older
        kept = msgspec.json.encode(inputs, order="deterministic")
        values = {
            "inputs": kept,
            "inputs_sha256": hashlib.sha256(kept).hexdigest(),
            "reasons": msgspec.json.encode(older),
        }
        assert len(kept) > 2 * len(row["inputs"])
        with inside.writing() as connection:
            connection.execute(update(decisions).where(decisions.c.id == number).values(**values))
        assert replay(inside.state.store, scorers, number).same
        assert inside.client.get("/v1/account/p3/scores").json() == shown

    def test_what_is_not_there_is_told(self, inside: Inside, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="no decision record"):
            replay(inside.state.store, KeptScorers(tmp_path), 10**12)
        store_signals(inside, "p2")
        ask(inside, "p2")
        with pytest.raises(ScorerGone):
            replay(inside.state.store, KeptScorers(tmp_path), self.newest(inside, "p2"))


class TestChange:
    def test_two_scores_are_compared(self, inside: Inside) -> None:
        store_signals(inside, "c1", days_ago=28)
        first = ask(inside, "c1")
        store_signals(inside, "c1", number_3=-5e5)
        second = ask(inside, "c1")
        answer = inside.client.get("/v1/account/c1/change").json()
        assert answer["before"]["probability"] == first["probability"]
        assert answer["after"]["probability"] == second["probability"]
        assert sum(answer["parts"].values()) == pytest.approx(answer["log_odds"], abs=1e-12)
        assert sum(answer["score_parts"].values()) == answer["score"] == second["score"] - first["score"]
        # Signals that somebody stored say nothing of rows.
        assert answer["split"] == "not_recorded"
        assert answer["parts"].keys() == {"unsplit", "version"}
        assert [step["after"] for step in answer["bands"]] == ["start", "unsplit", "version", "thresholds"]
        assert {each["signal"] for each in answer["signals"] if each["before"] != each["after"]} == {"number_3"}
        same = inside.client.get("/v1/account/c1/change?from=2026-02-02&to=2026-03-02&model=churn_risk").json()
        assert same == answer

    def test_without_two_scores_there_is_nothing_to_compare(self, inside: Inside) -> None:
        assert refused(inside.client.get("/v1/account/nobody/change"), 404, "no_such_score")
        store_signals(inside, "c2")
        ask(inside, "c2")
        assert refused(inside.client.get("/v1/account/c2/change"), 404, "no_such_score")
        assert refused(inside.client.get("/v1/account/c1/change?to=2020-01-01"), 404, "no_such_score")

    @pytest.mark.parametrize("query", ["from=soon", "to=2026-02-30", "to=0001-01-01T00:00:00%2B23:00"])
    def test_a_time_that_is_none_is_422(self, inside: Inside, query: str) -> None:
        assert refused(inside.client.get(f"/v1/account/c1/change?{query}"), 422, "bad_parameters")


def test_trend_is_read_with_the_signals(inside: Inside) -> None:
    store_signals(inside, "t1", days_ago=40)
    assert ask(inside, "t1")["trend"] == "not_enough"
    store_signals(inside, "t1")
    assert ask(inside, "t1")["trend"] == "steady"
    with inside.writing() as connection:
        connection.execute(
            update(decisions).where(decisions.c.entity_id == "t1", decisions.c.as_of < to_us(inside.state.clock()) - DAY)
            .values(score=200)
        )  # fmt: skip
    assert ask(inside, "t1")["trend"] == "improving"  # the risk was higher
    with inside.writing() as connection:
        connection.execute(update(decisions).where(decisions.c.entity_id == "t1").values(model="lead-fit"))
    assert ask(inside, "t1")["trend"] == "not_enough"  # another model's scores say nothing


def test_metrics_say_what_waits_and_how_old_the_signals_are(inside: Inside) -> None:
    store_signals(inside, "m1")
    letter = {
        "connection": "main", "dedupe_key": "m", "received_at": 2, "occurred_at": 1, "kind": "company.change",
        "object_type": "company", "object_id": "m", "state": "failed",
    }  # fmt: skip
    with inside.writing() as connection:
        connection.execute(insert(inbox).values(**letter))
    page = inside.client.get("/metrics").text
    assert 'accountscore_inbox_events{state="failed"} 1.0' in page
    assert 'accountscore_outbox_messages{state="dead"} 0.0' in page
    assert 'accountscore_signals_age_seconds{entity="account"}' in page
    assert "accountscore_dirty_entities 0.0" in page
    assert "accountscore_ready 1.0" in page  # nobody asked /readyz


class TestWhatIf:
    """Signals that a request lays over the stored ones: recorded for replay, and no part of the story of an account."""

    def ids(self, inside: Inside, name: str, query: str = "") -> list[tuple[str, str]]:
        page = inside.client.get(f"/v1/account/{name}/scores{query}").json()
        return [(score["cause"], score["as_of"]) for score in page["scores"]]

    def test_it_is_recorded_and_replays(self, inside: Inside) -> None:
        store_signals(inside, "w1", days_ago=1)
        ask(inside, "w1")
        asked = ask(inside, "w1", signals={"number_3": -5e5})
        assert asked["signals_from"] == "store+request"
        assert [cause for cause, _ in self.ids(inside, "w1")] == ["request"]
        assert [cause for cause, _ in self.ids(inside, "w1", "?what_if=true")] == ["what_if", "request"]
        page = inside.client.get("/v1/account/w1/scores?what_if=true&limit=1").json()
        assert page["scores"][0]["probability"] == asked["probability"]
        done = replay(inside.state.store, KeptScorers(inside.state.settings.base.home), page["scores"][0]["id"])
        assert done.same

    def test_it_is_no_end_of_a_change_unless_it_is_asked_for(self, inside: Inside) -> None:
        store_signals(inside, "w2", days_ago=28)
        first = ask(inside, "w2")
        asked = ask(inside, "w2", signals={"number_3": -5e5})
        assert refused(inside.client.get("/v1/account/w2/change"), 404, "no_such_score")
        what_if = inside.client.get("/v1/account/w2/change?what_if=true").json()
        assert what_if["before"]["probability"] == first["probability"]
        assert what_if["after"]["probability"] == asked["probability"]
        store_signals(inside, "w2")
        second = ask(inside, "w2")
        assert inside.client.get("/v1/account/w2/change").json()["after"]["probability"] == second["probability"]

    def test_it_is_no_part_of_a_trend(self, inside: Inside) -> None:
        store_signals(inside, "w3", days_ago=40)
        ask(inside, "w3")
        with inside.writing() as connection:  # as if it had been asked then
            connection.execute(update(decisions).where(decisions.c.entity_id == "w3").values(cause="what_if"))
        store_signals(inside, "w3")
        assert ask(inside, "w3")["trend"] == "not_enough"
        with inside.writing() as connection:  # the twin: as a record of what was so it counts
            connection.execute(update(decisions).where(decisions.c.entity_id == "w3").values(cause="request"))
        assert ask(inside, "w3")["trend"] == "steady"

    def test_signals_alone_are_what_is_known_of_it(self, inside: Inside) -> None:
        assert ask(inside, "w4", signals={"number_0": 1.0})["signals_from"] == "request"
        assert [cause for cause, _ in self.ids(inside, "w4")] == ["request"]
