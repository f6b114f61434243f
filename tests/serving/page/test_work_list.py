"""The work list: the same rows as the API, everything in the query string, usable without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from features.kit.clock import DAY_US
from serving.page.work_list import MOVED
from serving.sign_in.pages import _SAID
from tests.kit.browsing import Browser, token_of
from tests.kit.carded import put_card, put_run
from tests.kit.inside import Inside, running_inside
from tests.kit.list_rows import NOW_US, put, scored

HOSTILE = '<img src=x onerror="alert(1)">\u202e'
LONG = "x" * 10_000


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("work-list")) as found:
        rows = [
            {
                "entity_id": f"a/{n:02d}",
                "name": f"Acme {n}",
                "owner": "jane" if n % 2 else "k.roe",
                "probability": n / 100,
                "score": n + 30,
                "band": "high" if n >= 60 else "medium" if n >= 40 else "low",
                "segments": {"industry": "food" if n % 3 else "steel"},
            }
            for n in range(70)
        ]
        rows.append({"entity_id": "h/1", "name": HOSTILE, "owner": HOSTILE, "probability": 0.99, "score": 99})
        rows.append({"entity_id": "h/2", "name": LONG, "probability": 0.98, "score": 98})
        put(found.state.store, rows)
        yield found


def shown(inside: Inside, query: str = "") -> str:
    answer = inside.client.get(f"/ui/churn-risk{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def ids(html: str) -> list[str]:
    """Ids of the rows, in order."""
    return [
        unescape(found) for found in re.findall(r'<th scope="row" class="name"><a href="/ui/account/([^"]+)"', html)
    ]


def test_the_rows_are_those_of_the_api(inside: Inside) -> None:
    for query in ("?sort=score", "?band=high&sort=name", "?owner=jane&sort=probability&order=asc&limit=25", "?q=acme"):
        listed = inside.client.get(f"/v1/churn-risk/scores{query}").json()["rows"]
        assert ids(shown(inside, query)) == [row["entity_id"] for row in listed]
        assert listed


def test_next_rows_follow_to_the_end_and_lead_back(inside: Inside) -> None:
    html, found = shown(inside, "?sort=score&limit=30"), []
    while True:
        found += ids(html)
        after = re.search(r'href="([^"]+)">Next rows', html)
        if after is None:
            break
        html = shown(inside, unescape(after[1]).removeprefix("/ui/churn-risk"))
    assert len(found) == len(set(found)) == 72
    assert "Rows 61 to 72" in html
    first = re.search(r'href="([^"]+)">First page', html)
    assert first is not None
    assert unescape(first[1]) == "/ui/churn-risk?sort=score&limit=30"


def test_headings_sort_and_say_so(inside: Inside) -> None:
    html = shown(inside, "?sort=score&band=high")
    assert html.count("aria-sort=") == 1
    link = re.search(r'aria-sort="descending"><a href="([^"]+)"', html)
    assert link is not None
    turned = shown(inside, unescape(link[1]).removeprefix("/ui/churn-risk"))
    assert 'aria-sort="ascending"' in turned
    assert ids(turned) == ids(html)[::-1]


def test_empty_fields_of_the_form_are_no_filters(inside: Inside) -> None:
    """The address that remains is short: it is the one that people share."""
    answer = inside.client.get("/ui/churn-risk?q=&owner=&band=high&band=low&theme=+&value_min=&sort=score")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ui/churn-risk?band=high&band=low&sort=score"
    assert inside.client.get("/ui/churn-risk?q=").headers["location"] == "/ui/churn-risk"


def test_mine_is_the_owner_who_is_signed_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_inside(tmp_path_factory.mktemp("mine")) as inside:
        put(inside.state.store, [{"entity_id": n, "owner": n, "score": 50} for n in ("jane", "kim")])
        for who in ("jane", "kim"):
            browser = Browser(inside)
            browser.sign_in(token_of(inside.key("ui:read", name=who)))
            assert ids(browser.get("/ui/churn-risk?mine=yes").text) == [who]


def test_all_rows_as_csv_of_the_same_view(inside: Inside) -> None:
    html = shown(inside, "?band=high&sort=name")
    link = re.search(r'href="([^"]+)">All rows as CSV', html)
    assert link is not None
    csv = inside.client.get(unescape(link[1]))
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text == inside.client.get("/v1/churn-risk/scores?band=high&sort=name&format=csv").text


def test_every_fault_is_told_at_once_and_what_was_typed_stays(inside: Inside) -> None:
    answer = inside.client.get("/ui/churn-risk?band=zz&value_min=much&changed_by=0&q=keep")
    assert answer.status_code == 422
    assert "3 things to mend" in answer.text
    assert 'value="much"' in answer.text
    assert 'value="keep"' in answer.text


@pytest.mark.parametrize("query", ["?cursor=x", "?nonsense=1", "?limit=0", "?sort=zz", "?from=x", "?q=%00"])
def test_no_query_breaks_the_page(inside: Inside, query: str) -> None:
    assert inside.client.get(f"/ui/churn-risk{query}").status_code in (200, 422)


def test_hostile_names_are_text(inside: Inside) -> None:
    html = shown(inside, "?sort=score")
    assert "<img" not in html
    assert html.count("<bdi>") >= 50


def test_a_name_is_as_long_as_a_row_has_room_for(inside: Inside) -> None:
    html = shown(inside, "?sort=score")
    assert LONG not in html
    assert "x" * 99 + "…" in html


def test_two_of_one_name_are_told_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_inside(tmp_path_factory.mktemp("twice")) as inside:
        rows = [{"entity_id": n, "name": "Acme", "domain": f"{n}.example", "score": 50} for n in ("one", "two")]
        put(inside.state.store, [*rows, {"entity_id": "b", "name": "Beta", "domain": "beta.example", "score": 50}])
        html = shown(inside)
        assert ["one.example" in html, "two.example" in html, "beta.example" in html] == [True, True, False]


def test_few_values_are_chosen_and_the_one_asked_for_is_among_them(inside: Inside) -> None:
    html = shown(inside, "?segment.industry=gone&owner=nobody")
    for name, values in (("segment.industry", ["gone", "food", "steel"]), ("owner", ["nobody", "jane", "k.roe"])):
        found = re.search(rf'<select id="{re.escape(name)}".*?</select>', html, re.DOTALL)
        assert found is not None
        options = re.findall(r"<option( selected)?>([^<]*)", found[0])
        assert [unescape(text) for _, text in options if "img" not in text] == values
        assert [text for selected, text in options if selected] == values[:1]


def test_filters_unfold_when_one_of_them_is_used(inside: Inside) -> None:
    assert "<details>" in shown(inside, "?q=acme&band=high")
    assert "<details open>" in shown(inside, "?theme=usage")
    assert "Clear 2 filters" in shown(inside, "?theme=usage&band=high&sort=score")
    assert "Clear" not in shown(inside, "?sort=score")


def test_a_moved_score_says_by_what(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_inside(tmp_path_factory.mktemp("moved")) as inside:
        champion = inside.state.champions.get("churn-risk")
        for day, value in ((1, 0.2), (0, 3.0)):
            values = {"number_0": value, "word_1": "gamma"}
            made = scored(champion.scorer, "a", values, as_of_us=NOW_US - day * DAY_US)
            put(inside.state.store, [made, {"entity_id": "b", "score": 50, "as_of_us": NOW_US - day * DAY_US}])
        row = next(r for r in inside.client.get("/v1/churn-risk/scores").json()["rows"] if r["entity_id"] == "a")
        assert abs(row["change"]) >= MOVED
        html = shown(inside)
        assert html.count("mostly this") + html.count("Number 0 is 3") >= 1
        assert "/ui/account/a?model=churn-risk#change" in html


def test_the_capacity_is_that_of_the_live_version(tmp_path: Path) -> None:
    """`--capacity` of a fit is in the card of the version; the model's file says 10 %."""
    with running_inside(tmp_path) as inside:
        put(inside.state.store, [{"entity_id": f"a{n}", "score": 50, "value": 100.0 - n} for n in range(20)])
        put_run(tmp_path, "2026-03-01", 20)
        html = shown(inside)
        assert "the first 2, 10 % of all" in html
        before = html[: html.index("Your capacity ends here")]
        assert ids(before) == ["a0", "a1"]
        assert "Your capacity" not in shown(inside, "?sort=name")
        put_card(tmp_path, 1, capacity_share=0.25)
        assert "the first 5, 25 % of all" in shown(inside)


def test_old_scores_have_a_banner(tmp_path: Path) -> None:
    with running_inside(tmp_path) as inside:
        put(inside.state.store, [{"entity_id": "a"}])
        put_run(tmp_path, "2026-02-25", 1)
        assert "days old" not in shown(inside)
        put_run(tmp_path, "2026-02-10", 1).rename(tmp_path / "batches" / "20260227T020000Z-bbbbbb.json")
        assert "These scores are 19 days old" in shown(inside)


def test_nothing_inline_and_a_label_for_each_field(inside: Inside) -> None:
    html = shown(inside)
    assert not re.search(r"style=|<style|<script(?! src=)|<[^>]*\son\w+=", html)
    for name in re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', html):
        assert f'for="{name}"' in html
    assert "script-src 'self'" in inside.client.get("/ui/churn-risk").headers["content-security-policy"]


def test_a_page_is_small(inside: Inside) -> None:
    assert len(shown(inside, "?q=acme").encode()) < 100_000


def test_a_word_that_is_no_model_is_a_page_of_the_same_look(inside: Inside) -> None:
    answer = inside.client.get("/ui/nonsense")
    assert answer.status_code == 404
    assert _SAID[404][0] in answer.text
    assert "/ui/static/page.css" in answer.text
