"""Overrides over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from tests.kit.account import ask, refused, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("people") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


class TestOverride:
    GIVEN: ClassVar = {"model": "churn-risk", "band": "low", "reason": "They signed.", "author": "j.doe"}

    def test_it_is_shown_until_it_is_withdrawn(self, inside: Inside) -> None:
        store_signals(inside, "o1")
        alone = ask(inside, "o1")
        put = inside.client.request("PUT", "/v1/account/o1/override", json=self.GIVEN)
        assert put.status_code == 200
        assert put.json()["override"]["reason"] == "They signed."
        beside = ask(inside, "o1")
        assert beside.pop("override")["band"] == "low"
        assert beside == alone
        assert inside.client.get("/v1/account/o1/scores").json()["overrides"]["churn-risk"]["author"] == "j.doe"
        second = inside.client.request("PUT", "/v1/account/o1/override", json={**self.GIVEN, "band": "medium"})
        assert second.json()["override"]["band"] == "medium"
        where = "/v1/account/o1/override?model=churn-risk"
        assert inside.client.get(where).json()["override"]["band"] == "medium"
        for _ in range(2):
            assert inside.client.request("DELETE", where).status_code == 204
        assert refused(inside.client.get(where), 404, "no_such_override")
        assert "override" not in ask(inside, "o1")

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"band": "purple"}, 422, "bad_override"),
            ({"model": "x"}, 404, "no_such_model"),
            ({"model": "lead-fit"}, 404, "no_such_model"),
            ({"until": "2020-01-01"}, 409, "over_already"),
            ({"until": "soon"}, 422, "bad_override"),
            ({"reason": ""}, 422, "wrong_shape"),
            ({"reason": 1}, 422, "wrong_shape"),
            ({"color": 1}, 422, "wrong_shape"),
            ({"until": "0001-01-01T00:00:00+23:59"}, 422, "bad_override"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, inside: Inside, change: dict[str, Any], status: int, code: str) -> None:
        answer = inside.client.request("PUT", "/v1/account/o2/override", json={**self.GIVEN, **change})
        assert refused(answer, status, code)

    def test_invalid_json_is_400(self, inside: Inside) -> None:
        answer = inside.client.request("PUT", "/v1/account/o2/override", content=b'{"a": 1, "a": 2}')
        assert refused(answer, 400, "not_strict_json")
        answer = inside.client.request("PUT", "/v1/account/o2/override", content=b" " * 70_000)
        assert refused(answer, 413, "body_too_large")

    def test_neither_account_nor_lead_is_404(self, inside: Inside) -> None:
        assert refused(inside.client.get("/v1/person/x/override?model=churn-risk"), 404, "no_such_entity")
