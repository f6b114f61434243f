"""The report page: whole, self-contained, escaped, and honest when there is nothing to show."""

from __future__ import annotations

import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest

from models.catalog import get_model
from models.definition import Model
from models.scorer.scorer import Scorer
from tests.kit.reports import HOSTILE, make_report
from training.fit_table import table_definition
from training.report import page, pictures, words
from training.verdicts import Verdict


@pytest.fixture(scope="module")
def definition() -> Model:
    return get_model("churn-risk")


class Elements(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class TestPage:
    def test_has_every_picture_and_needs_nothing_else(self, scorer: Scorer, definition: Model, tmp_path: Path) -> None:
        paths = page.write(tmp_path, definition, make_report(scorer))
        assert {path.stem for path in paths[1:]} == set(pictures.PICTURES)
        html = paths[0].read_text()
        elements = Elements(html)
        images = [a for tag, a in elements.found if tag == "img"]
        assert len(images) == len(pictures.PICTURES)
        assert all((a["src"] or "").startswith("data:image/png;base64,") and a["alt"] for a in images)
        assert not [a for tag, a in elements.found if tag in ("script", "link", "iframe")]
        assert not re.findall(r'(?:src|href)="(?!data:)', html)
        assert "http" not in html.replace("data:image", "")
        for path in paths[1:]:
            width, height = struct.unpack(">II", path.read_bytes()[16:24])  # IHDR, PNG specification 11.2.2
            assert width > 400
            assert height > 200

    def test_what_comes_from_data_is_text_and_no_markup(self, scorer: Scorer, definition: Model) -> None:
        report = make_report(scorer)
        html = page.render(definition, report, dict.fromkeys(pictures.PICTURES, b"png"))
        assert "<script>" not in html
        assert html.count("&lt;script&gt;") >= 7
        # The sabotaged twin: the same text, believed, is markup.
        from markupsafe import Markup

        believed = make_report(scorer, source=Markup(HOSTILE))
        assert "<script>" in page.render(definition, believed, {})

    def test_the_director_reads_the_answer_first(self, scorer: Scorer, definition: Model) -> None:
        text = " ".join("".join(Elements(page.render(definition, make_report(scorer), {})).text).split())
        answer = "Of the 10 % of accounts that it puts first, 30 % left within 90 days: 0.3 times as many as in a random draw (20 %)."
        assert answer in text
        assert text.index(answer) < text.index("ROC AUC")
        assert "about 130,000 (120,000 to 140,000)" in text
        assert "12 already leaving: gave notice before" in text
        assert "60 trees of at most 8 leaves. On this machine" in text

    def test_the_outcome_is_a_word_and_no_page_prints_an_object(self, scorer: Scorer, definition: Model) -> None:
        html = page.render(definition, make_report(scorer), {})
        assert "<b>30 %</b>of these left (base rate 20 %)" in html
        with pytest.raises(
            TypeError, match="prints Outcome"
        ):  # as it did: the whole object, in the middle of a sentence
            page.render(definition, make_report(scorer, version=definition.outcome), {})

    def test_no_signal_is_said_and_not_dressed_up(self, scorer: Scorer, definition: Model) -> None:
        gates = [{"name": "signal", "passed": False, "found": "AUC 0.51", "needed": "0.55"}]
        report = make_report(scorer, verdict="no signal found", verdict_code="no_signal", promoted=False, gates=gates)
        html = page.render(definition, report, {})
        assert "No signal found: these data do not tell who left." in html
        assert "Version 7 is not live: signal." in html
        assert "badge good" not in html

    def test_a_rule_that_is_enough_is_named(self, scorer: Scorer, definition: Model) -> None:
        assert {words.badge(make_report(scorer, verdict_code=code.value)) for code in Verdict} >= {"ready", "refused"}
        report = make_report(scorer, verdict_code="rule_is_enough", promoted=False)
        report["one_column_rule"]["rule"] = "days_to_renewal, lowest first"
        html = page.render(definition, report, {})
        assert "A single rule is enough: days_to_renewal, lowest first." in html

    @pytest.mark.parametrize(
        ("low", "high", "said"),
        [
            (0.8, 1.2, "no better, within noise (0.8 to 1.2)"),
            (1.1, 1.3, "1.0× what a random draw finds, among the 10 %"),
        ],
    )
    def test_chance_is_not_called_better(
        self, scorer: Scorer, definition: Model, low: float, high: float, said: str
    ) -> None:
        report = make_report(scorer)
        report["metrics"]["lift_at_capacity"] = {"value": 1.0, "low": low, "high": high}
        text = " ".join(" ".join(Elements(page.render(definition, report, {})).text).split())
        assert said in text
        assert "better than a draw" not in text

    def test_themes_are_those_of_its_signals(self, scorer: Scorer, definition: Model) -> None:
        text = page.render(definition, make_report(scorer, themes=["usage", "billing"]), {})
        assert "It reads 8 signals: usage, billing." in text

    def test_a_table_has_columns_and_no_themes(self, scorer: Scorer) -> None:
        report = make_report(scorer, version=None, promoted=False, themes=["custom"])
        html = page.render(table_definition("won", "lead"), report, {})
        assert "It reads 8 columns of the table." in html
        assert "custom" not in html
        assert "present champion" not in html
        assert "python -m serving score-table" in html

    def test_a_refusal_says_why_beside_the_verdict(self, scorer: Scorer, definition: Model) -> None:
        report = make_report(scorer, verdict_code="refused", promoted=False, why=["audit: a copy (needed: none)"])
        text = page.render(definition, report, {})
        assert text.index("audit: a copy (needed: none)") < text.index('class="tiles"')

    def test_without_time_and_without_value(self, scorer: Scorer, definition: Model, tmp_path: Path) -> None:
        report = make_report(
            scorer,
            by_period=[],
            by_segment=[],
            value=None,
            top_signals=[],
            speed={},
            periods={"train": {"rows": 9, "with_outcome": 3}},
        )
        paths = page.write(tmp_path, definition, report)
        assert {path.stem for path in paths[1:]} == {"lift", "precision", "calibration", "distribution"}
        assert "the data have no time" in paths[0].read_text()
