"""Retention: what is older goes, and what waits stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, insert, select, update

from features.kit.clock import to_us
from serving.privacy import repository as privacy
from serving.store.tables import decisions, idempotency, inbox, signals
from tests.kit.account import ask, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside

DAY = 86_400_000_000


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("people") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


class TestRetention:
    def test_what_is_older_goes_and_what_waits_stays(self, inside: Inside) -> None:
        store_signals(inside, "r1")
        ask(inside, "r1")
        ask(inside, "r1")
        now = to_us(inside.state.clock())
        with inside.writing() as connection:
            first = connection.execute(select(func.min(decisions.c.id)).where(decisions.c.entity_id == "r1")).scalar()
            connection.execute(update(decisions).where(decisions.c.id == first).values(recorded_at=now - 31 * DAY))
            for key, state in (("w", "waiting"), ("s", "scored"), ("f", "failed")):
                connection.execute(
                    insert(inbox).values(
                        connection="main",
                        dedupe_key=key,
                        received_at=now - 31 * DAY,
                        occurred_at=1,
                        kind="k",
                        object_type="o",
                        object_id="1",
                        state=state,
                    )
                )
            done = privacy.forget_before(connection, now - 30 * DAY)
            assert done["decisions"] == 1
            left = set(connection.execute(select(inbox.c.dedupe_key).where(inbox.c.object_type == "o")).scalars())
            assert left == {"w"}
            assert connection.execute(select(signals.c.entity_id).where(signals.c.entity_id == "r1")).all()
        assert len(inside.client.get("/v1/account/r1/scores").json()["scores"]) == 1
        with inside.state.store.read() as connection:
            assert connection.execute(select(idempotency)).all() is not None
