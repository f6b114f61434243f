"""The work list: the same rows as the API, everything in the query string, usable without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest

from serving.sign_in.pages import _SAID
from tests.kit.browsing import Browser, token_of
from tests.kit.inside import Inside, running_inside
from tests.kit.list_rows import put

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
    return [unescape(found) for found in re.findall(r'<th scope="row">\s*<a href="/ui/account/([^"]+)"', html)]


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
    assert ids(shown(inside, "?q=&owner=&theme=&value_min=&acted=&no_score=&sort=score")) == ids(
        shown(inside, "?sort=score")
    )


def test_mine_is_the_owner_who_is_signed_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_inside(tmp_path_factory.mktemp("mine")) as inside:
        put(inside.state.store, [{"entity_id": n, "owner": n, "score": 50} for n in ("jane", "kim")])
        for who in ("jane", "kim"):
            browser = Browser(inside)
            browser.sign_in(token_of(inside.key("ui:read", name=who)))
            assert ids(browser.get("/ui/churn-risk?mine=yes").text) == [who]


def test_all_rows_as_csv_of_the_same_view(inside: Inside) -> None:
    html = shown(inside, "?band=high&sort=name")
    link = re.search(r'href="([^"]+)">All rows of this view as CSV', html)
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
