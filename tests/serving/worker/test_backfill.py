"""The backlog at first connection: every record once, and an interrupted backfill goes on where it was."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from features.kit.clock import make_clock
from features.sources.loader import open_source
from serving.champion import Champions
from serving.connections.config import ConnectionConfig
from serving.store.connect import Store
from serving.store.tables import decisions, writebacks
from serving.worker import backfill as module
from serving.worker.backfill import backfill
from serving.worker.source_cache import Sources
from tests.kit.running import AS_OF, Home


def all_of(store: Store, table: object) -> list[dict[str, object]]:
    with store.read() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]  # type: ignore[call-overload]


class TestBackfill:
    def test_every_record_once_and_what_has_a_score_is_queued(
        self, store: Store, config: ConnectionConfig, champions: Champions, home: Home
    ) -> None:
        source = open_source("sample", home.company)
        leads = source.query("SELECT count(DISTINCT lead_id) FROM leads")[0][0]
        accounts = source.query("SELECT count(DISTINCT account_id) FROM accounts")[0][0]
        done = backfill(store, Sources(home.path), config, champions, make_clock(AS_OF))
        assert (done.scored, done.before) == (leads + accounts, 0)
        made = all_of(store, decisions)
        assert set(Counter((d["model"], d["entity_id"]) for d in made).values()) == {1}
        assert len(made) == leads + accounts
        with_score = {d["entity_id"] for d in made if d["score"] is not None and d["model"] == "lead-fit"}
        assert {row["entity_id"] for row in all_of(store, writebacks)} == with_score
        assert with_score
        again = backfill(store, Sources(home.path), config, champions, make_clock(AS_OF))
        assert (again.scored, again.before) == (0, leads + accounts)
        assert len(all_of(store, decisions)) == len(made)

    def test_an_interrupted_backfill_goes_on_where_it_was(
        self, store: Store, config: ConnectionConfig, champions: Champions, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "ENTITIES_A_ROUND", 50)
        rounds = []

        def stop_in_the_third(done: int, _all: int) -> None:
            rounds.append(done)
            if len(rounds) == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            backfill(store, Sources(home.path), config, champions, make_clock(AS_OF), stop_in_the_third)
        assert len(all_of(store, decisions)) == 100
        done = backfill(store, Sources(home.path), config, champions, make_clock(AS_OF))
        assert done.before == 100
        assert set(Counter((d["model"], d["entity_id"]) for d in all_of(store, decisions)).values()) == {1}
