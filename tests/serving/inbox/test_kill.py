"""Webhooks are never lost and scores arrive once, whatever is killed. Real processes, real signals; the registry is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import NewHome
from tests.kit.fake_hubspot import fake_hubspot
from tests.kit.killing import (
    Verdict,
    check,
    connect,
    drain,
    kill_at_random,
    make_requests,
    under_way,
)
from tests.kit.running import Home, wait_for


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    return new_home(models=("lead-fit",))


NEW = range(5_000_000, 5_000_100)
"""Records that the CRM tells of and the source does not have yet."""


def run(home: Home, folder: Path, events: int, kills: int, seed: int) -> tuple[Verdict, set[str]]:
    """What the checker counted, and the scores that the CRM has in the end."""
    with fake_hubspot() as crm:
        connect(home, crm)
        requests = make_requests(events, NEW, seed)
        with under_way(home, folder, requests) as (service, sender, store):
            kill_at_random(service, sender, kills, seed)
            drain(service, sender, store)
            assert service.kills == kills
            assert len(sender.acknowledged) == events
            verdict = check(home, sender, store, crm)
            print(f"{kills} kills, {dict(sender.statuses)}, {len(crm.writes)} writes on the wire: {verdict}")
    return verdict, {str(values["fit_score"]) for values in crm.values.values()}


class TestKilledAtRandom:
    def test_eight_times(self, home: Home, tmp_path: Path) -> None:
        verdict, scores = run(home, tmp_path, events=600, kills=8, seed=1)
        assert verdict.clean, verdict
        assert len(scores) > 1

    @pytest.mark.slow
    def test_two_hundred_times(self, home: Home, tmp_path: Path) -> None:
        verdict, scores = run(home, tmp_path, events=2_000, kills=200, seed=2)
        assert verdict.clean, verdict
        assert len(scores) > 1


def test_answering_before_the_commit_is_caught(home: Home, tmp_path: Path) -> None:
    """The sabotaged twin: an API that answers and stores later loses what it acknowledged when it is killed."""
    with fake_hubspot() as crm:
        connect(home, crm)
        requests = [r for r in make_requests(60, NEW, 3) if not r.bad]
        with under_way(home, tmp_path, requests, {"api": "tests.kit.sabotaged_early"}) as (service, sender, store):
            sender.allowed = len(requests) // 2
            wait_for(lambda: sender.done == sender.allowed)
            service.kill("api")
            service.modules["api"] = "serving"  # what comes after is stored as it should be
            service.start("api")
            sender.allowed = len(requests)
            drain(service, sender, store)
            verdict = check(home, sender, store, crm)
    assert verdict.lost > 0
    assert not verdict.clean
