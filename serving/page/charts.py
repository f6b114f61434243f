"""Charts as inline SVG: presentation attributes and classes only, so that a strict content policy shows them.

Each is a figure with a label for who cannot see it, and a table behind "show as table". Colours and fonts are those of the classes in
`static/page.css`. All texts are escaped. A chart of nothing is an empty text: the template says why there is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from serving.page.formats import number

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 32
"""Margins of a chart with axes, in its own units; it grows and shrinks with the page."""


@dataclass(frozen=True)
class Table:
    """What stands behind "show as table"."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def figure(svg: Markup, table: Table, caption: str = "") -> Markup:
    """A chart with its caption and its table."""
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(each) for each in table.columns)
    rows = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in table.rows
    )
    said = Markup("<figcaption>{}</figcaption>").format(caption) if caption else Markup("")
    return Markup(
        '<figure class="chart">{}{}<details><summary>Show as table</summary>'
        '<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details></figure>'
    ).format(said, svg, head, rows)


def _svg(label: str, width: float, height: float, parts: Sequence[Markup], kind: str = "") -> Markup:
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        kind or "plot", number(width), number(height), label, Markup("").join(parts)
    )


def _text(x: float, y: float, text: str, kind: str = "tick", anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    drawn = " ".join(f"{'M' if place == 0 else 'L'}{x:.1f} {y:.1f}" for place, (x, y) in enumerate(points))
    return Markup('<path class="{}" d="{}"/>').format(kind, drawn)


@dataclass(frozen=True)
class Bar:
    """One bar of `bars`."""

    label: str
    value: float
    said: str
    """The value as people read it."""
    kind: str = "bar"
    """Class of its colour: bar, bar-up, bar-down, bar-high, bar-medium, bar-low."""


def bars(label: str, given: Sequence[Bar], caption: str = "", columns: tuple[str, str] = ("", "")) -> Markup:
    """Horizontal bars from 0, the longest as wide as there is room. Values below 0 go to the left."""
    if not given:
        return Markup("")
    low, high = min(0.0, *(each.value for each in given)), max(0.0, *(each.value for each in given))
    span, room, row = (high - low) or 1.0, 250.0, 26.0
    start = 200 + room * -low / span
    parts = [_line(start, 4, start, row * len(given), "axis")]
    for place, each in enumerate(given):
        y, width = place * row + 4, abs(each.value) / span * room
        x = start if each.value >= 0 else start - width
        parts.append(_text(192, y + 14, _shortened(each.label, 32), "label", "end"))
        parts.append(
            Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="16"/>').format(each.kind, x, y, width)
        )
        parts.append(_text(max(x + width, start) + 6, y + 14, each.said, "label"))
    table = Table(columns, [(each.label, each.said) for each in given])
    return figure(_svg(label, WIDTH, row * len(given) + 8, parts), table, caption)


def effect(value: float, largest: float, said: str) -> Markup:
    """A small bar beside a sentence: to the right and red-brown for what raises, to the left for what lowers."""
    width = 0.0 if not largest else min(1.0, abs(value) / largest) * 48
    x, kind = (50.0, "bar-up") if value >= 0 else (50 - width, "bar-down")
    parts = [
        _line(50, 1, 50, 13, "axis"),
        Markup('<rect class="{}" x="{:.1f}" y="2" width="{:.1f}" height="10"/>').format(kind, x, width),
    ]
    return _svg(said, 100, 14, parts, "effect")


def strength(value: float, largest: float, said: str) -> Markup:
    """A small bar from the left, as long as the effect is strong: beside a word or a sign that says which way it goes."""
    width = 0.0 if not largest else max(min(1.0, abs(value) / largest) * 60, 1.0)
    kind = "bar-up" if value >= 0 else "bar-down"
    bar = Markup('<rect class="{}" x="0" y="2" width="{:.1f}" height="10"/>').format(kind, width)
    return _svg(said, 60, 14, [bar], "strength")


def place(lower: float | None, alike: float, said: str) -> Markup:
    """A strip of all peers, 0 to 1, with the part in which a value lies; without `lower` the part begins at the left."""
    start = 0.0 if lower is None else min(lower, 1.0)
    width = max(min(alike, 1.0 - start) * 100, 3.0)
    parts = [
        Markup('<rect class="track" x="0" y="5" width="100" height="4"/>'),
        Markup('<rect class="bar" x="{:.1f}" y="2" width="{:.1f}" height="10"/>').format(
            min(start * 100, 100 - width), width
        ),
    ]
    return _svg(said, 100, 14, parts, "effect")


def gauge(score: int, bands: Sequence[tuple[str, int]], said: str) -> Markup:
    """A scale of 1 to 100 with the bands as zones (name and lowest score, highest first) and a mark at the score."""
    width, ends = 300.0, [101, *(lowest for _, lowest in bands)]
    parts = []
    for at, (name, lowest) in enumerate(bands):
        x, end = (lowest - 1) * width / 100, (ends[at] - 1) * width / 100
        kind = "high" if at == 0 else "low" if at == len(bands) - 1 else "medium"
        size = max(end - x - 1, 1.0)
        parts.append(
            Markup('<rect class="zone zone-{}" x="{:.1f}" y="12" width="{:.1f}" height="8"/>').format(kind, x, size)
        )
        parts.append(_text((x + end) / 2, 34, name, anchor="middle"))
    mark = (score - 0.5) * width / 100
    parts.append(Markup('<path class="needle" d="M{0:.1f} 20L{1:.1f} 6L{2:.1f} 6Z"/>').format(mark, mark - 5, mark + 5))
    return _svg(said, width, 40, parts, "gauge")


def spread(value: float, low: float | None, high: float | None, largest: float, said: str) -> Markup:
    """As `effect`, with a line from `low` to `high`. `largest` is the end of the axis both ways."""

    def x(number_of: float) -> float:
        return 60 + (max(-1.0, min(1.0, number_of / largest)) * 58 if largest else 0.0)

    left, right = sorted((x(0.0), x(value)))
    parts = [
        _line(60, 0, 60, 14, "axis"),
        Markup('<rect class="{}" x="{:.1f}" y="2" width="{:.1f}" height="10"/>').format(
            "bar-up" if value >= 0 else "bar-down", left, right - left
        ),
    ]
    if low is not None and high is not None:
        parts.append(_line(x(low), 7, x(high), 7, "span"))
    return _svg(said, 120, 14, parts, "effect")


def interval(
    value: float, low: float | None, high: float | None, expected: float | None, largest: float, said: str
) -> Markup:
    """A small dot with its interval on an axis of 0 to `largest`, and an upright line where it was expected."""

    def x(number_of: float) -> float:
        return 4 + (max(0.0, min(1.0, number_of / largest)) * 112 if largest else 0.0)

    parts = [_line(4, 7, 116, 7, "grid")]
    if expected is not None:
        parts.append(_line(x(expected), 0, x(expected), 14, "axis"))
    if low is not None and high is not None:
        parts.append(_line(x(low), 7, x(high), 7, "line"))
    parts.append(Markup('<circle class="dot" cx="{:.1f}" cy="7" r="3.5"/>').format(x(value)))
    return _svg(said, 120, 14, parts, "effect")


def spark(values: Sequence[float], largest: float, said: str) -> Markup:
    """A row of small bars, up or down from the middle: the shape of what a signal does. `largest` is the end both ways."""
    width = 120 / max(len(values), 1)
    parts = []
    for at, value in enumerate(values):
        height = min(1.0, abs(value) / largest) * 13 if largest else 0.0
        parts.append(
            Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                "bar-up" if value >= 0 else "bar-down",
                at * width + 0.5,
                14 - height if value >= 0 else 14,
                max(width - 1, 0.5),
                height,
            )
        )
    parts.append(_line(0, 14, 120, 14, "grid"))
    return _svg(said, 120, 28, parts, "spark")


def share(part: float) -> Markup:
    """A bar beside a number of a table, 0 to 1 of the longest. It repeats the number, so nobody is read it twice."""
    width = 96 * min(1.0, max(0.0, part))
    return Markup(
        '<svg class="share" viewBox="0 0 96 10" aria-hidden="true">'
        '<rect class="bar" x="0" y="0" width="{:.1f}" height="10"/></svg>'
    ).format(width)


@dataclass(frozen=True)
class Step:
    """One point of a history."""

    day: float
    """Any number that grows with time."""
    value: float
    """0 to 100."""
    when: str
    """The moment as people read it."""
    version: str
    """Version of the model; a change is marked."""


def history(label: str, steps: Sequence[Step], caption: str = "") -> Markup:
    """Scores of 0 to 100 over time as a step line. A dashed line marks each change of the model's version."""
    if not steps:
        return Markup("")
    first, last = steps[0].day, steps[-1].day
    span, width, height = (last - first) or 1.0, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(day: float) -> float:
        return LEFT + (day - first) / span * width

    def y(value: float) -> float:
        return TOP + (100 - value) / 100 * height

    parts = [_line(LEFT, y(mark), WIDTH - RIGHT, y(mark), "grid") for mark in (0, 25, 50, 75, 100)]
    parts += [_text(LEFT - 6, y(mark) + 4, str(mark), anchor="end") for mark in (0, 50, 100)]
    drawn: list[tuple[float, float]] = []
    for place, step in enumerate(steps):
        if drawn:
            drawn.append((x(step.day), drawn[-1][1]))
        drawn.append((x(step.day), y(step.value)))
        if place and step.version != steps[place - 1].version:
            parts.append(_line(x(step.day), TOP, x(step.day), TOP + height, "mark"))
            parts.append(_text(x(step.day) + 3, TOP + 10, f"version {step.version}"))
    parts.append(_path(drawn, "line"))
    parts += [Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x(s.day), y(s.value)) for s in steps]
    parts.append(_text(LEFT, HEIGHT - 10, steps[0].when))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 10, steps[-1].when, anchor="end"))
    table = Table(
        ("When", "Score", "Version"), [(step.when, number(step.value), step.version) for step in reversed(steps)]
    )
    return figure(_svg(label, WIDTH, HEIGHT, parts), table, caption)


@dataclass(frozen=True)
class Point:
    """One point of `curve`, 0 to 1 each way, with the ends of its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


def curve(
    label: str,
    points: Sequence[Point],
    table: Table,
    across: str,
    up: str,
    caption: str = "",
    largest: float = 1.0,
    joined: bool = True,
    across_at: tuple[float, str] | None = None,
) -> Markup:
    """Points of two shares, beside the diagonal. `largest` is the end of both axes; `across_at` is a place across, with its word."""
    if not points:
        return Markup("")
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(value: float) -> float:
        return LEFT + min(value / largest, 1.0) * width

    def y(value: float) -> float:
        return TOP + (1 - min(value / largest, 1.0)) * height

    parts = [_line(LEFT, y(mark * largest), WIDTH - RIGHT, y(mark * largest), "grid") for mark in (0, 0.5, 1)]
    for mark in (0, 0.5, 1):
        said = f"{100 * mark * largest:.3g} %"
        parts.append(_text(LEFT - 6, y(mark * largest) + 4, said, anchor="end"))
        parts.append(_text(x(mark * largest), HEIGHT - 18, said, anchor=("start", "middle", "end")[int(2 * mark)]))
    parts.append(_line(x(0), y(0), x(largest), y(largest), "mark"))
    if across_at is not None and across_at[0] <= largest:
        parts.append(_line(x(across_at[0]), y(0), x(across_at[0]), TOP, "mark"))
        parts.append(_text(x(across_at[0]) + 4, y(0) - 6, across_at[1]))
    parts += [
        _line(x(each.x), y(each.low), x(each.x), y(each.high), "whisker")
        for each in points
        if each.low is not None and each.high is not None
    ]
    if joined:
        parts.append(_path([(x(each.x), y(each.y)) for each in points], "line"))
    parts += [Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(x(p.x), y(p.y)) for p in points]
    parts.append(_text(LEFT + width / 2, HEIGHT - 3, across, "label", "middle"))
    parts.append(_text(LEFT + 4, TOP + 10, up, "label"))
    return figure(_svg(label, WIDTH, HEIGHT, parts), table, caption)


def _shortened(text: str, longest: int) -> str:
    """
    >>> _shortened("number of people", 9)
    'number o…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"
