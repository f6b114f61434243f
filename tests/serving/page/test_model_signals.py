"""What each signal does: every bin with rate, rows and effect; rates alone where a version keeps no effects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import numpy as np
import pytest

from models import card, signal_card
from models.champion_pointer import kept
from models.scorer.scorer import Scorer
from models.signal_card import Effects, SignalBin, SignalOfCard
from serving.page.signal_rows import bin_rows
from tests.kit.carded import put_card
from tests.kit.inside import Inside, running_inside
from tests.kit.scorers import random_rows
from training.report.signals import effects_by_bin

BASE = "/ui/models/churn-risk/versions"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("signals") / "home"
    with running_inside(home) as running:
        scorer = _live(running)
        put_card(home, 1)
        put_card(home, 2)
        x, _ = random_rows(600, seed=0)
        found = signal_card.card_of(scorer.spec, 2, effects_by_bin(scorer, x))
        (card.place(home, "churn-risk", 2) / signal_card.NAME).write_bytes(signal_card.encoded(found))
        put_card(home, 3)
        (card.place(home, "churn-risk", 3) / signal_card.NAME).write_text("{")
        put_card(home, 4)
        yield running


def _live(inside: Inside) -> Scorer:
    return inside.state.champions.get("churn-risk").scorer


def shown(inside: Inside, path: str) -> str:
    answer = inside.client.get(BASE + path)
    assert answer.status_code == 200, answer.text
    return " ".join(unescape(answer.text).split())


def test_the_list_is_that_of_the_api_the_strongest_first(inside: Inside) -> None:
    told = inside.client.get("/v1/models/churn-risk/versions/2/signals").json()["signals"]
    html = shown(inside, "/2/signals")
    listed = re.findall(r'href="[^"]*/signals/([^"]+)">', html)
    assert listed == [each["signal"] for each in told]
    shares = [each["share"] for each in told]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-3)


def test_the_list_of_a_theme_and_of_some_words(inside: Inside) -> None:
    assert "word_0" not in shown(inside, "/2/signals?theme=usage")
    assert "number_0" in shown(inside, "/2/signals?theme=usage")
    html = shown(inside, "/2/signals?q=WORD")
    assert "word_0" in html
    assert "number_0" not in html
    assert "Nothing matches" in shown(inside, "/2/signals?q=zzz")


def test_a_signal_has_every_bin_with_rows_rate_and_effect(inside: Inside) -> None:
    told = inside.client.get("/v1/models/churn-risk/versions/2/signals").json()["signals"]
    for signal in told:
        html = shown(inside, f"/2/signals/{signal['signal']}")
        rows = re.findall(r'<tr><th scope="row"><bdi>(.*?)</bdi></th><td class="num">(.*?)</td>(.*?)</tr>', html)
        assert [value for value, _, _ in rows] == [each["value"] for each in signal["bins"]]
        for (_, count, rest), each in zip(rows, signal["bins"], strict=True):
            assert count == f"{each['rows']:,}"
            assert rest.count("<svg") == 2
            assert f"(odds × {np.exp(each['effect']):.2f})" in rest
    assert html.count("<h1>") == 1


def test_what_hardly_matters_looks_weak() -> None:
    weak = SignalOfCard(
        signal="a", label="a", theme="usage", unit="count", bins=[SignalBin(value="1", rows=9, rate=0.1, effect=0.05)]
    )
    width = re.search(r'class="bar-up"[^>]* width="([0-9.]+)"', str(bin_rows(weak, 0.1)[0].effect_picture))
    assert width is not None
    assert float(width[1]) < 10, "a tenth of its side at most"


def test_each_leads_to_the_next(inside: Inside) -> None:
    told = [each["signal"] for each in inside.client.get("/v1/models/churn-risk/versions/2/signals").json()["signals"]]
    assert f"/signals/{told[1]}" in shown(inside, f"/2/signals/{told[0]}")
    assert f"/signals/{told[0]}" in shown(inside, f"/2/signals/{told[1]}")


def test_a_version_without_effects_shows_the_rates_of_its_scorer(inside: Inside) -> None:
    """Version 1 is live, and has a scorer beside its pointer and no file of its own."""
    html = shown(inside, "/1/signals/number_0")
    assert "rates are kept, and no effects" in html
    assert "python -m training fit churn-risk" in html
    assert "odds ×" not in html
    bins = _live(inside).spec.signals[0].bins
    assert bins is not None
    assert f'<td class="num">{bins.counts[0]:,}</td>' in html


@pytest.mark.parametrize(
    "path", ["/3/signals", "/4/signals", "/9/signals", "/2/signals/nonsense", "/2/signals/%3Cimg%3E"]
)
def test_what_is_not_there_is_said_in_the_same_look(inside: Inside, path: str) -> None:
    answer = inside.client.get(BASE + path)
    assert answer.status_code == 404
    assert "/ui/static/page.css" in answer.text
    assert "<img" not in answer.text


def test_the_page_of_the_model_shows_the_strongest(inside: Inside) -> None:
    html = shown(inside, "/2")
    assert f'href="{BASE}/2/signals"' in html
    assert html.count('class="spark"') >= 5
    assert 'class="spark"' not in shown(inside, "/1")


def test_nothing_inline(inside: Inside) -> None:
    for path in ("/2/signals", "/2/signals/number_0", "/1/signals/word_0"):
        html = inside.client.get(BASE + path).text
        assert not re.search(r"style=|<style|<script(?! src=)|<[^>]*\son\w+=", html)
        assert not re.search(r"<(svg|rect|line|circle)[^>]*(nan|inf)", html)


def test_hostile_words_are_text(inside: Inside) -> None:
    home = inside.state.settings.base.home
    spec = _live(inside).spec
    put_card(home, 5)
    effects = [Effects(0.1, [None] * 40)] * len(spec.signals)
    found = signal_card.encoded(signal_card.card_of(spec, 5, effects)).replace(b"word 0", b"<img src=x>")
    (card.place(home, "churn-risk", 5) / signal_card.NAME).write_bytes(found)
    for path in ("/5/signals", "/5/signals/word_0"):
        answer = inside.client.get(BASE + path)
        assert answer.status_code == 200
        assert "<img" not in answer.text
        assert "&lt;img src=x" in answer.text


def test_the_scorer_of_the_pointer_is_where_it_is_looked_for(inside: Inside) -> None:
    pointer = inside.state.champions.get("churn-risk").pointer
    assert kept(inside.state.settings.base.home, "churn-risk", pointer.sha256) == pointer.path
