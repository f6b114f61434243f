"""What changed is scored before the records of a backlog, and each once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from features.kit.clock import make_clock
from serving.champion import Champions
from serving.store.connect import Store
from serving.store.tables import decisions, dirty
from serving.vendors.destination import WriteBack
from serving.worker import backfill, score_dirty
from serving.worker.loop import Worker
from serving.worker.source_cache import Sources
from tests.kit.hubspot_leads import connected, tell
from tests.kit.running import AS_OF, Home, quick_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def champions(home: Home) -> Champions:
    made = Champions(home.path)
    made.refresh()
    return made


class TestBacklog:
    """A backfill beside a running worker."""

    def test_what_changed_is_scored_before_a_backlogs_records_and_each_once(
        self, store: Store, home: Home, champions: Champions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(score_dirty, "ENTITIES_A_ROUND", 30)
        conf, clock = replace(connected(home), writeback=WriteBack()), make_clock(AS_OF)
        queued = backfill.queue_backlog(store, Sources(home.path), conf, champions, clock)
        assert queued.scored > 60
        worker = Worker(store, {"crm": conf}, champions, clock)
        tell(store, conf, "77")
        worker.round()
        with store.read() as connection:
            first = connection.execute(select(decisions.c.entity_id, decisions.c.cause)).all()
        assert first == [("lead_77", "webhook")]
        worker.once()
        with store.read() as connection:
            made = connection.execute(select(decisions.c.entity_id, decisions.c.cause, decisions.c.run_id)).all()
            assert connection.execute(select(dirty)).all() == []
            assert backfill.waiting_of(connection, "backfill:crm") == 0
        of_backlog = [row.entity_id for row in made if row.cause == "backfill"]
        assert len(of_backlog) == len(set(of_backlog)) == queued.scored
        assert {row.run_id for row in made if row.cause == "backfill"} == {"backfill:crm"}
        again = backfill.queue_backlog(store, Sources(home.path), conf, champions, clock)
        assert (again.scored, again.before) == (0, queued.scored)
