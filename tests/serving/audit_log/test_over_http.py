"""What is done over HTTP is one row each, by who signed in; what is refused and what changes nothing is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from models import audit_spool
from serving.audit_log import head, repository
from serving.audit_log.chain import Head, read_json, verify
from serving.store.tables import audit_log
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside
from tests.kit.running import wait_for

GIVEN = {"model": "churn-risk", "band": "low", "reason": "They signed.", "author": "somebody else"}


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("audited") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


def of(inside: Inside, name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(action, actor's name, what is there after it) of the rows about an account."""
    with inside.state.store.read() as connection:
        rows = connection.execute(select(audit_log).order_by(audit_log.c.seq)).mappings().all()
    told = [(row, read_json(row["actor"]), read_json(row["details"])) for row in rows]
    return [
        (row["action"], f"{row['actor_kind']} {actor['name']}", details["after"] or {})
        for row, actor, details in told
        if details.get("object") == name
    ]


def test_overrides_objections_and_erasure(inside: Inside) -> None:
    key = inside.key("override", "privacy", "read", name="Jane Doe")
    ask = inside.client.request
    put = ask("PUT", "/v1/account/a1/override", json=GIVEN, headers=key)
    assert put.status_code == 200
    assert put.json()["override"]["author"] == "Jane Doe"
    assert "the name that was sent was not taken" in put.json()["warnings"][0]
    without = {name: value for name, value in GIVEN.items() if name != "author"}
    again = ask("PUT", "/v1/account/a1/override", json=without, headers=key).json()
    assert (again["override"]["author"], again["warnings"]) == ("Jane Doe", [])
    for _ in range(2):  # the second of each changes nothing
        where = "/v1/account/a1/override?model=churn-risk"
        assert ask("DELETE", where, headers=key).status_code == 204
        assert ask("PUT", "/v1/account/a1/objection", headers=key).status_code == 200
    for _ in range(2):
        assert ask("DELETE", "/v1/account/a1/objection", headers=key).status_code == 204
    rows = of(inside, "a1")
    actions = ["override", "override", "override_withdrawn", "objection", "objection_taken_back"]
    assert [action for action, *_ in rows] == actions
    assert {actor for _, actor, _ in rows} == {"key Jane Doe"}
    assert [after.get("given_author") for _, _, after in rows] == ["somebody else", None, None, None, None]
    assert ask("POST", "/v1/account/a1/erasure", json={}, headers=key).status_code == 200
    assert of(inside, "a1") == []
    with inside.state.store.read() as connection:
        kept = list(repository.rows(connection))
        verdict = verify(kept, [("the home", head.load(inside.state.settings.base.home) or Head())])
    assert verdict.intact, verdict
    assert verdict.redacted >= 5
    own = [row for row in kept if row["action"] != "promotion"]  # of the models; they are taken in meanwhile
    assert own[-1]["action"] == "erasure"
    assert read_json(own[-1]["actor"])["name"] == "Jane Doe"
    told = read_json(own[-1]["details"])
    del told["after"]["id_hash"]  # hexadecimal: an "a1" may stand in it, and in the salt
    assert "a1" not in repr(told)
    assert read_json(own[-5]["actor"])["name"] == "Jane Doe"  # who did it stays


def test_what_is_refused_leaves_no_row(inside: Inside) -> None:
    wrong, key = inside.key("read", name="reader"), inside.key("override", name="writer")
    ask = inside.client.request
    assert ask("PUT", "/v1/account/a2/override", json=GIVEN, headers=wrong).status_code == 403
    assert ask("PUT", "/v1/account/a2/override", json={**GIVEN, "band": "purple"}, headers=key).status_code == 422
    assert ask("PUT", "/v1/account/a2/override", json=GIVEN, headers={"authorization": "Bearer x"}).status_code == 401
    assert of(inside, "a2") == []


def test_a_list_that_is_exported_as_csv_is_a_row_of_who_took_it(inside: Inside) -> None:
    """Within a second: it waits in the home meanwhile, because a read waits for no write of the store."""
    key = inside.key("read", name="John Roe")
    assert inside.client.get("/v1/churn-risk/scores?format=csv&band=high", headers=key).status_code == 200

    def exported() -> list[tuple[str, dict[str, Any]]]:
        return [(who, told) for action, who, told in of(inside, "churn-risk") if action == "export"]

    wait_for(lambda: len(exported()) == 2)
    for who, told in exported():
        assert who == "key John Roe"
        assert "band=high" in told["list"]


def test_without_its_row_nothing_is_sent(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    key = inside.key("read", name="lister")
    monkeypatch.setattr(audit_spool, "FOLDER", "audit_head.json")  # a file where the folder should be
    answer = inside.client.get("/v1/churn-risk/scores?format=csv", headers=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "home_away")


def test_the_home_knows_the_newest_row_when_the_answer_is_there(inside: Inside) -> None:
    key = inside.key("privacy", name="dpo")
    inside.client.request("PUT", "/v1/account/a3/objection", headers=key)
    with inside.state.store.read() as connection:
        assert head.load(inside.state.settings.base.home) == repository.head(connection)
