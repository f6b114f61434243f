"""Decision records replay to the bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from features.kit.errors import UserMistake
from serving.decisions import repository as history
from serving.replay.service import replay
from serving.scorer_cache import KeptScorers, ScorerGone
from serving.store.tables import decisions
from tests.kit.account import ask, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside


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
            {"probability": float.fromhex(done.probability.hex()) + 1e-16},
            {"score": (done.score or 0) + 1},
            {"inputs": b"{}"},
            {"inputs": b'["ff", 1]'},
            {"inputs": b"[1]"},
            {"inputs": b"1"},
            {"band": "purple"},
        ]
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

    def test_a_missing_record_or_scorer_is_an_error(self, inside: Inside, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="no decision record"):
            replay(inside.state.store, KeptScorers(tmp_path), 10**12)
        store_signals(inside, "p2")
        ask(inside, "p2")
        with pytest.raises(ScorerGone):
            replay(inside.state.store, KeptScorers(tmp_path), self.newest(inside, "p2"))
