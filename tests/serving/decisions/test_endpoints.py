"""Decision records over HTTP: a what-if is no part of an account's story."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from serving.replay.service import replay
from serving.scorer_cache import KeptScorers
from serving.store.tables import decisions
from tests.kit.account import ask, refused, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("records") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


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

    def test_a_what_if_is_part_of_a_change_only_on_demand(self, inside: Inside) -> None:
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

    def test_a_what_if_is_no_part_of_a_trend(self, inside: Inside) -> None:
        store_signals(inside, "w3", days_ago=40)
        ask(inside, "w3")
        with inside.writing() as connection:  # as if it had been asked then
            connection.execute(update(decisions).where(decisions.c.entity_id == "w3").values(cause="what_if"))
        store_signals(inside, "w3")
        assert ask(inside, "w3")["trend"] == "not_enough"
        with inside.writing() as connection:  # the twin: as a record of what was so it counts
            connection.execute(update(decisions).where(decisions.c.entity_id == "w3").values(cause="request"))
        assert ask(inside, "w3")["trend"] == "steady"

    def test_signals_of_an_unknown_account_are_no_what_if(self, inside: Inside) -> None:
        assert ask(inside, "w4", signals={"number_0": 1.0})["signals_from"] == "request"
        assert [cause for cause, _ in self.ids(inside, "w4")] == ["request"]
