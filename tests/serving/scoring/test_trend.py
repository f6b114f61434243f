"""The trend of a score is read with the signals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from features.kit.clock import to_us
from serving.store.tables import decisions
from tests.kit.account import ask, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside

DAY = 86_400_000_000


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("records") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


def test_trend_is_read_with_the_signals(inside: Inside) -> None:
    store_signals(inside, "t1", days_ago=40)
    assert ask(inside, "t1")["trend"] == "not_enough"
    store_signals(inside, "t1")
    assert ask(inside, "t1")["trend"] == "steady"
    with inside.writing() as connection:
        connection.execute(
            update(decisions)
            .where(decisions.c.entity_id == "t1", decisions.c.as_of < to_us(inside.state.clock()) - DAY)
            .values(score=200)
        )
    assert ask(inside, "t1")["trend"] == "improving"  # the risk was higher
    with inside.writing() as connection:
        connection.execute(update(decisions).where(decisions.c.entity_id == "t1").values(model="lead-fit"))
    assert ask(inside, "t1")["trend"] == "not_enough"  # another model's scores say nothing
