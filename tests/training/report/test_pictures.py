"""The pictures of a report: the same bytes again, and a legend that covers nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.catalog import get_model
from models.scorer.scorer import Scorer
from tests.kit.reports import make_report
from training.report import pictures


class TestDraw:
    def test_the_same_report_gives_the_same_bytes(self, scorer: Scorer) -> None:
        report = {**make_report(scorer), "outcome": "left"}
        for picture in (pictures.lift, pictures.signals):
            first = picture(report)
            assert first is not None
            assert picture(report) == first

    def test_an_outcome_that_is_no_text_is_refused(self, scorer: Scorer) -> None:
        report = make_report(scorer)
        assert pictures.lift({**report, "outcome": "left"}) != pictures.lift({**report, "outcome": "expanded"})
        with pytest.raises(TypeError, match="a text is needed, such as the verb"):
            pictures.lift({**report, "outcome": get_model("churn-risk").outcome})


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

    def test_every_legend_is_drawn_by_one_function(self) -> None:
        assert inspect.getsource(pictures).count(".legend(") == 1
