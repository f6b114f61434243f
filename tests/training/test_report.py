"""The report page: whole, self-contained, escaped, and honest when there is nothing to show."""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.catalog import get_model
from models.definition import Model
from models.scorer.scorer import Scorer
from tests.kit.scorers import make_scorer, make_signals, random_rows
from training.fit_table import table_definition
from training.report import curves, page, pictures, words
from training.report.signals import top_signals
from training.report.speed import speed
from training.verdicts import Verdict

HOSTILE = '<script>alert("1")</script>$x_{2}$ & "quoted"'


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1 * abs(value), "high": value + 0.1 * abs(value)}


def make_report(scorer: Scorer, **more: Any) -> dict[str, Any]:
    """A report with every part, of random outcomes; the names in it are hostile."""
    x, y = random_rows(600, seed=3)
    p, group = scorer.probability(x), np.arange(600)
    masks = {f"region = {HOSTILE}": np.arange(600) < 300, "region = north": np.arange(600) >= 300}
    metrics = {name: estimate(0.3) for name in words.METRICS} | {"auc": estimate(0.8)}
    time = np.repeat([1_700_000_000_000_000, 1_702_500_000_000_000], 300)
    return {
        "model": "churn-risk", "version": 7, "promoted": True, "verdict": "ready", "verdict_code": "ready", "why": [], "source": HOSTILE,
        "scorer": "sha256:" + "0" * 64, "seed": 0, "rows": {"learnt from": 900, "judged by": 600, "already_leaving": 12},
        "chosen": "blend", "signals": 8, "trees": 60, "tree_share": 0.5, "candidates": {"trees": 0.2, "blend": 0.19},
        "trials": 4, "metrics": metrics, "beside": {"rule": metrics, "base_rate": metrics}, "base_rate": 0.2,
        "capacity_share": 0.1, "perfect_calibration_band": 0.02,
        "one_column_rule": {"signal": HOSTILE, "rule": f"{HOSTILE}, lowest first", "auc": 0.7, "difference": estimate(0.1)},
        "calibration_curve": curves.calibration(y, p, group), "by_capacity": curves.by_capacity(y, p, group),
        "distribution": curves.distribution(y, p), "by_period": curves.by_period(y, p, group, time, 0.1),
        "by_segment": curves.by_segment(y, p, group, masks, 0.1, 100),
        "value": {"contact_cost": 100.0, "accept_rate": 0.3, "share_found_at_capacity": 0.36, "gain_at_capacity": estimate(129_662.8),
                  "expected_gain_at_capacity": 128_000.0},
        "gates": [{"name": "signal", "passed": True, "found": HOSTILE, "needed": "more"}], "audit_advice": [HOSTILE],
        "periods": {"train": {"from": "2024-01-01", "to": "2024-06-01", "rows": 900, "with_outcome": 90},
                    "test": {"from": "2025-01-01", "to": "2025-02-01", "rows": 600, "with_outcome": 60}},
        "notes": [HOSTILE], "left_out": [{"signal": HOSTILE, "why": HOSTILE}],
        "worst_misses": [{"entity_id": HOSTILE, "probability": 0.01, "outcome": 1}],
        "top_signals": top_signals(scorer, x, y), "speed": speed(scorer, x), **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return make_scorer(tmp_path_factory.mktemp("made") / "scorer")


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

    def test_what_comes_from_data_is_text_and_no_markup(
        self, scorer: Scorer, definition: Model, tmp_path: Path
    ) -> None:
        report = make_report(scorer)
        html = page.write(tmp_path, definition, report)[0].read_text()
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
        assert "This rule does it: days_to_renewal, lowest first." in html

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

    def test_the_same_report_gives_the_same_bytes(self, scorer: Scorer) -> None:
        report = {**make_report(scorer), "outcome": "left"}
        assert pictures.draw(report) == pictures.draw(report)


class TestLegend:
    """A legend inside the axes lies over bars, somewhere or other."""

    def drawn(self, legend: Callable[[Axes, int], object]) -> tuple[float, float]:
        """(lower end of the legend, upper end of the axes) in pixels."""
        figure = Figure(layout="constrained")
        canvas, axes = FigureCanvasAgg(figure), figure.subplots()
        axes.bar([0, 1], [2, 2], label="accounts that left")
        legend(axes, 2)
        canvas.draw()
        found = axes.get_legend()
        assert found is not None
        return found.get_window_extent().y0, axes.get_window_extent().y1

    def test_is_above_the_axes(self) -> None:
        below, above = self.drawn(pictures._legend)
        assert below >= above

    def test_one_that_is_inside_is_noticed(self) -> None:
        """The sabotaged twin."""
        below, above = self.drawn(lambda axes, _: axes.legend(loc="upper right"))
        assert below < above

    def test_there_is_no_other(self) -> None:
        assert inspect.getsource(pictures).count(".legend(") == 1


class TestTopSignals:
    def test_the_effects_are_the_scorers_and_their_order_is_that_of_their_size(self, scorer: Scorer) -> None:
        x, y = random_rows(500, seed=9)
        found = top_signals(scorer, x, y, count=8)
        effects, _ = scorer.effects(x)
        size = dict(zip(scorer.names, np.abs(effects).mean(axis=0), strict=True))
        assert [s["signal"] for s in found] == sorted(scorer.names, key=lambda n: -size[n])
        assert sum(s["share"] for s in found) == pytest.approx(1, abs=1e-3)  # type: ignore[misc]
        assert {str(s["label"]) for s in found} <= {s.label for s in make_signals()}
        for signal in found:
            j = scorer.names.index(str(signal["signal"]))
            points: Any = signal["points"]
            assert sum(p["n"] for p in points) == 500
            mean = sum(p["effect"] * p["n"] for p in points) / 500
            assert mean == pytest.approx(float(effects[:, j].mean()), abs=1e-5)
            assert sum(p["rate"] * p["n"] for p in points) == pytest.approx(float(y.sum()), abs=0.01)
