"""The report as one HTML file that needs nothing else, and its pictures as PNG beside it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined

from models.definition import Model
from training.report import words

CAPTIONS = {
    "lift": ("What the list finds", "Going down the list from the top: how many of all with the outcome are among them. Shaded: 95 % interval."),
    "precision": ("How often it is right", "Of those acted upon, the share with the outcome, as it came and as promised. Shaded: 95 % interval."),
    "calibration": ("Are the probabilities true?", "On the dashed line, 20 % means that 20 of 100 have the outcome."),
    "distribution": ("How the scores lie", "How many of each group get which probability: the less the two overlap, the better."),
    "stability": ("Does it hold over time?", "The test period part by part, each with at least 10 rows with the outcome and 10 without. Bars: 95 % interval."),
    "segments": ("For whom does it work?", "Each segment that is large enough to be judged by itself, with its number of rows. Bars: 95 % interval."),
    "signals": ("What moves the score", "The strongest signals, and what each of their values adds to or takes from the log-odds; the line spans 80 % of the rows."),
}  # fmt: skip  # a table: one line a picture
"""Picture -> its title and what it shows."""
PAGE = "report.html"


def write(folder: Path, definition: Model, report: dict[str, Any]) -> list[Path]:
    """Write `report.html` and one PNG per picture into `folder`, and return their paths, the page first."""
    from training.report.pictures import draw

    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw({**report, "outcome": definition.verb})
    paths = [folder / PAGE]
    paths[0].write_text(render(definition, report, pictures), encoding="utf-8")
    for name, data in pictures.items():
        path = folder / f"{name}.png"
        path.write_bytes(data)
        paths.append(path)
    return paths


def render(definition: Model, report: dict[str, Any], pictures: dict[str, bytes]) -> str:
    """The page; whatever comes from data is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_words_alone,
    )
    environment.filters |= {"figure": _figure, "percent": words._percent}
    return environment.get_template("page.html.j2").render(
        definition=definition,
        report=report,
        badge=words.badge(report),
        headline=words.headline(definition, report),
        against_a_draw=words.against_a_draw(report),
        reads=words.reads(definition, report),
        standing=words.standing(report),
        worth=words.worth(report),
        beyond_rule=words.beyond_rule(report),
        cautions=words.cautions(definition, report),
        left_out=words.left_out(report),
        metrics=[(name, *words.METRICS.get(name, (name.replace("_", " "), ""))) for name in report["metrics"]],
        pictures={name: _data_uri(data) for name, data in pictures.items()},
        captions=CAPTIONS,
    )


def _words_alone(value: Any) -> Any:
    """What a page prints is a text or a number: an object is a mistake of its template, and no reader of the page can tell."""
    if not isinstance(value, (str, int, float, Undefined)):
        raise TypeError(f"the template of the report prints {type(value).__name__}, not a text or a number")
    return value


def _figure(estimate: dict[str, float] | None) -> str:
    """An estimate with its interval; large ones are money."""
    if estimate is None:
        return "–"
    form = "{:,.0f}" if abs(estimate["value"]) >= 100 else "{:.3f}" if abs(estimate["value"]) < 10 else "{:.1f}"
    value, low, high = (form.format(estimate[k]) for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
