"""Lists and pages of single entities over HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from features.kit.clock import to_us
from serving.lists import service
from serving.overrides.repository import Override
from serving.overrides.repository import put as put_override
from serving.privacy import repository as privacy
from serving.store.tables import decisions
from tests.kit.company import at
from tests.kit.inside import Inside, is_problem, running_inside
from tests.kit.list_rows import NOW_US, put

IDS = [f"a/{n:02d}" for n in range(30)]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("lists")) as found:
        put(
            found.state.store,
            [
                {
                    "entity_id": entity_id,
                    "name": f"Acme {n}",
                    "owner": "j.doe" if n % 2 else "k.roe",
                    "probability": n / 100,
                    "score": n + 60,
                    "band": "high" if n + 60 >= 90 else "medium" if n + 60 >= 70 else "low",
                    "segments": {"industry": "food" if n % 3 else "steel"},
                    "parent_id": None if n else IDS[1],
                }
                for n, entity_id in enumerate(IDS)
            ],
        )
        put(found.state.store, [{"entity_id": "lead/1", "model": "lead-fit", "name": "Lead One", "value": None}])
        yield found


def rows(inside: Inside, query: str) -> list[dict[str, Any]]:
    answer = inside.client.get(f"/v1/churn-risk/scores?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


class TestList:
    def test_pages_follow_each_other_to_the_end(self, inside: Inside) -> None:
        found, cursor, asked = [], "", 0
        while True:
            answer = inside.client.get(f"/v1/churn-risk/scores?sort=score&q=acme&limit=7{cursor}").json()
            found += [row["entity_id"] for row in answer["rows"]]
            asked += 1
            if answer["next_cursor"] is None:
                break
            cursor = f"&cursor={answer['next_cursor']}"
        assert found == IDS[::-1]
        assert asked == 5

    def test_a_row_says_who_it_is_and_why(self, inside: Inside) -> None:
        (row,) = rows(inside, "q=acme+29")
        assert (row["entity_id"], row["name"], row["owner"], row["band"]) == (
            "a/29",
            "Acme 29",
            "k.roe" if 29 % 2 == 0 else "j.doe",
            "medium",
        )
        assert row["segments"] == {"industry": "food"}
        assert row["value_at_risk"] == 290.0
        assert row["reason"]["theme"] == "usage"
        assert (row["no_score"], row["override"]) == (None, None)

    def test_a_cursor_alone_brings_its_list(self, inside: Inside) -> None:
        query = "owner=j.doe&segment.industry=food&sort=name&order=desc"
        first = inside.client.get(f"/v1/churn-risk/scores?{query}&limit=4").json()
        alone = inside.client.get("/v1/churn-risk/scores", params={"cursor": first["next_cursor"], "limit": 4}).json()
        assert (alone["sort"], alone["order"]) == ("name", "desc")
        assert {row["owner"] for row in alone["rows"]} == {"j.doe"}
        assert alone["rows"][0]["name"] < first["rows"][-1]["name"]

    def test_a_cursor_of_another_list_is_refused(self, inside: Inside) -> None:
        token = inside.client.get("/v1/churn-risk/scores?limit=4").json()["next_cursor"]
        for path in (
            f"/v1/churn-risk/scores?owner=j.doe&cursor={token}",
            f"/v1/churn-risk/scores?sort=name&cursor={token}",
            f"/v1/lead-fit/scores?cursor={token}",
            f"/v1/expansion/scores?sort=value_at_risk&cursor={token}",
        ):
            answer = inside.client.get(path)
            assert is_problem(answer, 422, "bad_cursor")
            assert "with the same filters and the same sort. Next: ask without it" in answer.json()["detail"]

    def test_a_tampered_cursor_is_refused(self, inside: Inside) -> None:
        token = inside.client.get("/v1/churn-risk/scores?limit=4").json()["next_cursor"]
        for bad in (token[:-1], "A" + token[1:], token + "AAAA", "nonsense", "%00"):
            assert is_problem(inside.client.get(f"/v1/churn-risk/scores?cursor={bad}"), 422, "bad_cursor")

    def test_unknown_filters_and_columns_are_refused_with_those_there_are(self, inside: Inside) -> None:
        answer = inside.client.get("/v1/churn-risk/scores?colour=red&segment.size=5&sort=shoe")
        assert is_problem(answer, 422, "bad_list")
        found = {fault["where"]: fault["rule"] for fault in answer.json()["faults"]}
        assert found.keys() == {"colour", "segment.size", "sort"}
        assert "segment.industry" in found["segment.size"]
        assert "value_at_risk" in found["sort"]

    def test_an_override_is_shown_beside_the_score(self, inside: Inside) -> None:
        with inside.writing() as connection:
            put_override(connection, Override("churn-risk", "account", "a/03", "low", "=signed", "j.doe", NOW_US, None))
        (row,) = rows(inside, "q=a/03")
        assert (row["band"], row["override"]["band"], row["override"]["author"]) == ("low", "low", "j.doe")

    def test_erased_and_objecting_entities_are_on_no_list(self, inside: Inside) -> None:
        put(inside.state.store, [{"entity_id": "erased", "name": "Gone"}, {"entity_id": "objects", "name": "Gone"}])
        assert len(rows(inside, "q=gone")) == 2
        with inside.writing() as connection:
            privacy.erase(connection, "account", "erased", NOW_US)
            privacy.object_to(connection, "account", "objects", NOW_US)
        assert rows(inside, "q=gone") == []
        with inside.writing() as connection:
            privacy.admit(connection, "account", "erased", NOW_US)
            privacy.allow(connection, "account", "objects", NOW_US)

    def test_a_model_without_rows_has_an_empty_list(self, inside: Inside) -> None:
        answer = inside.client.get("/v1/expansion/scores").json()
        assert (answer["model"], answer["entity"], answer["rows"], answer["next_cursor"]) == (
            "expansion",
            "account",
            [],
            None,
        )

    def test_a_model_may_be_written_with_an_underscore(self, inside: Inside) -> None:
        assert inside.client.get("/v1/lead_fit/scores").json()["rows"][0]["entity_id"] == "lead/1"


class TestCsv:
    @pytest.mark.parametrize("how", ["query", "accept"])
    def test_all_rows_are_streamed(self, inside: Inside, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
        monkeypatch.setattr(service, "CSV_PAGE", 4)
        asked = {"query": ("&format=csv", {}), "accept": ("", {"accept": "text/csv"})}[how]
        answer = inside.client.get(f"/v1/churn-risk/scores?sort=score&owner=j.doe{asked[0]}", headers=asked[1])
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="churn-risk.csv"'
        found = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert [row["entity_id"] for row in found] == IDS[1::2][::-1]
        assert {row["segment.industry"] for row in found} == {"food", "steel"}

    def test_what_somebody_wrote_is_no_formula(self, inside: Inside) -> None:
        put(inside.state.store, [{"entity_id": "@x", "name": '=HYPERLINK("http://x")'}])
        answer = inside.client.get("/v1/churn-risk/scores?q=hyperlink&format=csv")
        (found,) = csv.DictReader(io.StringIO(answer.text, newline=""))
        assert (found["entity_id"], found["name"]) == ("'@x", '\'=HYPERLINK("http://x")')

    def test_a_list_without_rows_has_its_header(self, inside: Inside) -> None:
        answer = inside.client.get("/v1/expansion/scores?format=csv")
        assert answer.text.startswith("entity_id,name,domain,owner,")
        assert len(answer.text.splitlines()) == 1


class TestPage:
    def test_all_about_one_account(self, inside: Inside) -> None:
        found = inside.client.get("/v1/account/a/00").json()
        assert (found["entity"], found["entity_id"], found["name"], found["owner"]) == (
            "account",
            "a/00",
            "Acme 0",
            "k.roe",
        )
        assert found["parent"] == {"entity_id": "a/01", "name": "Acme 1"}
        models = {view["model"]: view for view in found["models"]}
        assert models.keys() >= {"churn-risk", "expansion"}
        assert (models["churn-risk"]["score"]["score"], models["expansion"]["score"]) == (60, None)
        assert models["churn-risk"]["score"]["reasons"][0]["theme"] == "usage"
        assert inside.client.get("/v1/account/a/01").json()["children"] == [{"entity_id": "a/00", "name": "Acme 0"}]

    def test_all_about_one_lead(self, inside: Inside) -> None:
        found = inside.client.get("/v1/lead/lead/1").json()
        assert [view["model"] for view in found["models"]] == ["lead-fit"]
        assert found["parent"] is None

    @pytest.mark.parametrize("path", ["/v1/account/nobody", "/v1/lead/a/00", "/v1/account/lead/1"])
    def test_one_that_nobody_knows_is_not_found(self, inside: Inside, path: str) -> None:
        kind = path.split("/")[2]
        assert is_problem(inside.client.get(path), 404, f"no_such_{kind}")

    def test_what_was_told_of_it_is_shown_and_listed(self, inside: Inside) -> None:
        put(inside.state.store, [{"entity_id": "told", "name": "Told"}])
        given = {"action": "call", "when": "2026-02-28T10:00:00Z", "source": "us"}
        assert inside.client.post("/v1/account/told/action", json=given).status_code in (200, 201)
        (note,) = inside.client.get("/v1/account/told").json()["notes"]
        assert (note["kind"], note["what"], note["when"], note["source"]) == ("action", "call", given["when"], "us")
        (row,) = rows(inside, "acted=yes&q=told")
        assert row["acted_at"] == given["when"]
        assert rows(inside, "acted=no&q=told") == []

    def test_what_the_source_says_was_done_counts_and_of_both_the_later(self, inside: Inside) -> None:
        noon, earlier = to_us(at("2026-02-20")), {"action": "call", "when": "2026-02-10T00:00:00Z", "source": "us"}
        put(inside.state.store, [{"entity_id": f"done {n}", "name": "Campaign", "acted_at": noon} for n in (1, 2)])
        put(inside.state.store, [{"entity_id": "done 3", "name": "Campaign"}])
        later = {**earlier, "when": "2026-02-25T00:00:00Z"}
        for entity_id, given in (("done 1", earlier), ("done 2", later)):
            assert inside.client.post(f"/v1/account/{entity_id}/action", json=given).status_code == 200
        found = {row["entity_id"]: row["acted_at"] for row in rows(inside, "acted=yes&q=campaign")}
        assert found == {"done 1": "2026-02-20T00:00:00Z", "done 2": later["when"]}
        assert [row["entity_id"] for row in rows(inside, "acted=no&q=campaign")] == ["done 3"]
        pages = [inside.client.get(f"/v1/account/done {n}").json()["acted_at"] for n in (1, 2, 3)]
        assert pages == ["2026-02-20T00:00:00Z", later["when"], None]

    def test_one_that_was_erased_is_not_found(self, inside: Inside) -> None:
        put(inside.state.store, [{"entity_id": "soon-erased"}])
        assert inside.client.get("/v1/account/soon-erased").status_code == 200
        with inside.writing() as connection:
            privacy.erase(connection, "account", "soon-erased", NOW_US)
        assert is_problem(inside.client.get("/v1/account/soon-erased"), 404, "no_such_account")


class TestPaths:
    """Each path is answered by the room that it is of."""

    def test_a_page_wins_over_a_model_and_the_rooms_of_one_entity_win_over_its_page(self, inside: Inside) -> None:
        assert "scores" in inside.client.get("/v1/account/a/01/scores").json()
        assert "models" in inside.client.get("/v1/account/a/01").json()
        assert inside.client.get("/v1/churn-risk").json()["model"] == "churn-risk"
        assert "rows" in inside.client.get("/v1/churn-risk/scores").json()

    @pytest.mark.parametrize("word", ["scores", "change", "override"])
    def test_an_id_may_be_such_a_word(self, inside: Inside, word: str) -> None:
        put(inside.state.store, [{"entity_id": word, "name": "A word"}])
        assert inside.client.get(f"/v1/account/{word}").json()["name"] == "A word"
        assert "scores" in inside.client.get(f"/v1/account/{word}/scores").json()

    def test_a_path_of_another_room_is_refused_by_that_room(self, inside: Inside) -> None:
        assert inside.client.get("/v1/account/a/01/override?model=churn-risk").json()["code"] == "no_such_override"
        answer = inside.client.get("/v1/account/a/01/erasure")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")

    def test_no_model_is_called_as_an_entity(self, inside: Inside) -> None:
        assert is_problem(inside.client.get("/v1/person/scores"), 404, "no_such_model")


class TestWhileTheNightIsWritten:
    def test_a_list_answers_while_a_write_transaction_is_open(self, tmp_path: Path) -> None:
        """On SQLite a writer has the whole file; readers see the state before, and do not wait."""
        with running_inside(tmp_path) as inside:
            put(inside.state.store, [{"entity_id": "before"}])
            with inside.state.store.write() as connection:
                row = {
                    "entity": "account",
                    "entity_id": "x",
                    "as_of": 1,
                    "recorded_at": 1,
                    "cause": "batch",
                    "model": "m",
                }
                more = {"scorer": "x", "reasons": b"[]", "inputs": b"[]", "inputs_sha256": "x"}
                connection.execute(insert(decisions), [{**row, **more}])
                for path in ("/v1/churn-risk/scores", "/v1/churn-risk/scores?format=csv", "/v1/account/before"):
                    answer = inside.client.get(path)
                    assert answer.status_code == 200
                    assert answer.elapsed.total_seconds() < 1.0
                    assert "before" in answer.text


def test_a_key_needs_the_scope_read(tmp_path: Path) -> None:
    with running_inside(tmp_path) as inside:
        able, other = inside.key("read"), inside.key("score", name="other")
        put(inside.state.store, [{"entity_id": "acme"}])
        for path in ("/v1/churn-risk/scores", "/v1/churn-risk/scores?format=csv", "/v1/account/acme"):
            assert inside.client.get(path, headers=able).status_code == 200
            assert is_problem(inside.client.get(path, headers=other), 403, "scope_missing")
            assert is_problem(inside.client.get(path), 401, "no_valid_key")
