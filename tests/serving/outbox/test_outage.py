"""The CRM or the registry is away while events come in: nothing is lost, and sabotaged twins lose something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from serving.store.tables import dirty, inbox
from tests.conftest import NewHome
from tests.kit.fake_hubspot import fake_hubspot
from tests.kit.killing import (
    check,
    connect,
    drain,
    make_requests,
    under_way,
)
from tests.kit.running import Home, wait_for

NEW = range(5_000_000, 5_000_040)


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    return new_home(models=("lead-fit",))


class TestTheCRM:
    """Away for the first calls: it hangs up, says 503, and hangs up after it worked."""

    def verdict(self, home: Home, folder: Path, worker: str) -> Any:
        away = ["drop", (503, {}, b""), "lose"]
        with fake_hubspot() as crm:
            connect(home, crm)
            crm.misbehave = lambda call: away[call - 1] if call <= len(away) else None  # type: ignore[return-value]
            requests = make_requests(80, NEW, 4)
            with under_way(home, folder, requests, {"worker": worker}) as (service, sender, store):
                sender.allowed = len(requests)
                drain(service, sender, store)
                verdict = check(home, sender, store, crm)
            if worker == "serving":
                assert crm.calls > len(away)
        return verdict

    def test_nothing_is_lost_when_the_crm_comes_back(self, home: Home, tmp_path: Path) -> None:
        verdict = self.verdict(home, tmp_path, "serving")
        assert verdict.clean, verdict

    def test_a_sender_that_takes_a_failure_for_done_is_caught(self, home: Home, tmp_path: Path) -> None:
        verdict = self.verdict(home, tmp_path, "tests.kit.sabotaged_sent")
        assert verdict.wrong_at_the_crm > 0, verdict


class TestTheRegistry:
    """Its address leads nowhere, in all tests of this file and of the kill tests."""

    def test_a_worker_that_needs_the_registry_is_caught(self, home: Home, tmp_path: Path) -> None:
        with fake_hubspot() as crm:
            connect(home, crm)
            requests = [r for r in make_requests(60, NEW, 6) if not r.bad]
            modules = {"worker": "tests.kit.sabotaged_registry"}
            with under_way(home, tmp_path, requests, modules) as (_, sender, store):
                sender.allowed = len(requests)

                def applied() -> bool:
                    with store.read() as connection:
                        waiting = select(func.count()).select_from(inbox).where(inbox.c.state == "waiting")
                        waits = connection.execute(select(func.count()).select_from(dirty)).scalar_one()
                        left = connection.execute(waiting).scalar_one()
                    return sender.done == len(requests) and not left and waits > 0

                wait_for(applied)
                verdict = check(home, sender, store, crm)
        assert verdict.lost > 0, verdict
