"""Why a score moved, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.account import ask, refused, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("records") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


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
    def test_an_invalid_time_is_422(self, inside: Inside, query: str) -> None:
        assert refused(inside.client.get(f"/v1/account/c1/change?{query}"), 422, "bad_parameters")
