"""Our own writes that come back as webhooks are known by the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from serving.outbox import echo_ledger
from serving.outbox import repository as outbox
from serving.store.connect import Store
from serving.store.tables import decisions, inbox
from tests.conftest import NewHome
from tests.kit.fake_hubspot import Wire, fake_hubspot
from tests.kit.killing import (
    DECEMBER_MS,
    Request,
    Sent,
    connect,
    quiet,
    under_way,
)
from tests.kit.running import Home, wait_for
from tests.kit.writebacks import config, new


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    return new_home(models=("lead-fit",))


NEW = range(5_000_000, 5_000_300)
"""Records that the CRM tells of and the source does not have yet."""


class TestLoop:
    """Our write fires the CRM's webhook, and what it tells is an input of the score: employees, for the sake of the test."""

    def scorings(self, home: Home, folder: Path, worker: str) -> tuple[int, int, int]:
        """Decisions, writes, and events of our own writes that came back."""
        echoes: list[Request] = []
        with fake_hubspot() as crm:
            connect(home, crm)
            toml = home.path / "connections" / "crm.toml"
            toml.write_text(toml.read_text().replace('revenue = "annual_revenue"', 'fit_score = "employees"'))
            requests = [Request((Sent(1, NEW[0], "industry", "software", DECEMBER_MS),))]

            def echo(wire: Wire, changed: bool) -> None:
                if changed and len(echoes) < 3:  # without a ledger it would not end
                    number = len(echoes) + 2
                    event = Sent(number, NEW[0], "fit_score", wire.properties["fit_score"], DECEMBER_MS + number)
                    echoes.append(Request((event,)))
                    requests.append(echoes[-1])

            crm.on_write = echo
            with under_way(home, folder, requests, {"worker": worker}) as (_, sender, store):
                sender.allowed = 10
                wait_for(lambda: len(crm.writes) > 0)
                wait_for(lambda: sender.done == len(requests) and sender.done > 1 and quiet(store))
                with store.read() as connection:
                    made = connection.execute(select(func.count()).select_from(decisions)).scalar_one()
                    states = connection.execute(select(inbox.c.state).where(inbox.c.property == "fit_score")).scalars()
                    assert set(states) == ({"echo"} if worker == "serving" else {"scored"})
        return made, len(crm.writes), len(echoes)

    def test_an_echo_is_not_scored_again(self, home: Home, tmp_path: Path) -> None:
        assert self.scorings(home, tmp_path, "serving") == (1, 1, 1)

    @pytest.mark.slow
    def test_without_the_ledger_echoes_are_scored(self, home: Home, tmp_path: Path) -> None:
        made, _, _ = self.scorings(home, tmp_path, "tests.kit.sabotaged_ledger")
        assert made > 1


class TestLedger:
    def test_our_own_value_is_an_echo_and_anothers_is_not(self, store: Store) -> None:
        with store.write() as connection:
            outbox.enqueue(connection, [config()], [new()], 10)
        mine, theirs = ("contact", "1", "fit", "50"), ("contact", "1", "fit", "51")
        with store.write() as connection:
            assert echo_ledger.echoes(connection, "crm", [mine]) == set()
            echo_ledger.record(
                connection, "crm", [write for write, _, _ in outbox.due(connection, config(), 10, 10)], 10
            )
            assert echo_ledger.echoes(connection, "crm", [mine, theirs]) == {mine}
            assert echo_ledger.echoes(connection, "another", [mine]) == set()
            echo_ledger.forget_old(connection, 10 + echo_ledger.KEPT_US + 1)
            assert echo_ledger.echoes(connection, "crm", [mine]) == set()
