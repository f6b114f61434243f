"""The numbers of the start page as lines with links: each leads to the list that shows its rows. It asks nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from features.signals.signal import FIT_THEMES
from models.definition import Model
from serving.lists.summary import MOVED, Segment, Summary, Sums
from serving.page.formats import count
from serving.runs.comparison import Compared

MOST_MONTHS = 15
"""Months of renewal that are told one by one."""
INFINITIVES = {"churn": "leave", "conversion": "become customers", "expansion": "pay more"}
"""What an outcome is for those who are expected to have it; of another one it is "have the outcome"."""
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Line:
    """One line of a table: rows that share something."""

    label: str
    link: str | None
    """The list of these rows; None where no filter finds them."""
    sums: Sums
    share: float
    """At stake, of the largest line: 0 to 1."""


@dataclass(frozen=True)
class Theme:
    """Leads or accounts by what speaks loudest, by band."""

    name: str
    is_fit: bool
    """Who they are; otherwise what they do."""
    bands: Sequence[tuple[str, int, str]]
    """Band, how many, and their list."""


@dataclass(frozen=True)
class Done:
    """What was done about the rows of one band."""

    band: str
    place: int
    """0 is the strongest."""
    listed: int
    acted: int
    acted_link: str
    waiting: int
    waiting_link: str


@dataclass(frozen=True)
class Difference:
    """One figure then and now."""

    what: str
    then: float
    now: float
    kind: str
    """count, expected or money."""
    link: str

    @property
    def change(self) -> float:
        return self.now - self.then


@dataclass(frozen=True)
class Section:
    """All of one model."""

    model: Model
    summary: Summary
    compared: Compared | None
    bands: Sequence[Line]
    months: Sequence[Line]
    segments: Mapping[str, Sequence[Line]]
    themes: Sequence[Theme]
    done: Sequence[Done]
    differences: Sequence[Difference]
    link: str
    """The list of all rows with a score."""
    moved_links: tuple[str, str]
    """Those that moved much, the risen first and the fallen first."""
    overrides_link: str
    outcomes_link: str

    @property
    def infinitive(self) -> str:
        return INFINITIVES.get(self.model.outcome.name, "have the outcome")

    @property
    def amount(self) -> str:
        """What is at stake in words: revenue at risk."""
        return self.model.outcome.stake.amount

    @property
    def crowd(self) -> str:
        return self.model.outcome.crowd


def section(model: Model, summary: Summary, compared: Compared | None, today: date) -> Section:
    """The numbers of one model."""
    scored = [("band", band) for band in summary.bands]
    return Section(
        model,
        summary,
        compared,
        _lines([(band, [("band", band)], sums) for band, sums in summary.bands.items()], model),
        _lines(_months(summary.months, scored, today), model),
        {
            column.replace("_", " "): _lines(_segment(column, found, scored), model)
            for column, found in summary.segments.items()
        },
        _themes(summary, model),
        _done(summary, model),
        [] if compared is None else _differences(compared, model, scored),
        link_of(model, scored),
        (
            link_of(model, [("changed_by", str(MOVED)), ("sort", "change"), ("order", "desc")]),
            link_of(model, [("changed_by", str(MOVED)), ("sort", "change"), ("order", "asc")]),
        ),
        link_of(model, [("overridden", "yes")]),
        link_of(model, [("no_score", "outcome_told")]),
    )


def link_of(model: Model, pairs: Pairs) -> str:
    """A view of the work list.

    >>> from models.catalog import get_model
    >>> link_of(get_model("churn-risk"), [("band", "high"), ("segment.plan", "a & b")])
    '/ui/churn-risk?band=high&segment.plan=a+%26+b'
    """
    return f"/ui/{model.name}?{urlencode(pairs)}"


def _lines(given: Sequence[tuple[str, Pairs | None, Sums]], model: Model) -> list[Line]:
    largest = max((sums.at_stake for _, _, sums in given), default=0.0) or 1.0
    return [
        Line(label, None if pairs is None else link_of(model, pairs), sums, max(0.0, sums.at_stake / largest))
        for label, pairs, sums in given
    ]


def _months(months: Mapping[str | None, Sums], scored: Pairs, today: date) -> list[tuple[str, Pairs | None, Sums]]:
    """Past months together, then month by month, later ones together, and those that are not known."""
    known = sorted(month for month in months if month is not None)
    this = f"{today:%Y-%m}"
    past, ahead = [month for month in known if month < this], [month for month in known if month >= this]
    single, later = ahead[:MOST_MONTHS], ahead[MOST_MONTHS:]
    found: list[tuple[str, Pairs | None, Sums]] = []
    if past:
        found.append(("Over already", [*scored, ("renewal_before", f"{this}-01")], _sum(months, past)))
    for month in single:
        first = date.fromisoformat(f"{month}-01")
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        within = [("renewal_from", first.isoformat()), ("renewal_before", after.isoformat())]
        found.append((f"{first:%b %Y}", [*scored, *within], months[month]))
    if later:
        found.append(("Later", [*scored, ("renewal_from", f"{later[0]}-01")], _sum(months, later)))
    if None in months:
        # By probability: those without a contract have no amount to be sorted by, as a rule.
        found.append(("Not known", [*scored, ("renewal_known", "no"), ("sort", "probability")], months[None]))
    return found


def _sum(by_name: Mapping[str | None, Sums], names: Sequence[str]) -> Sums:
    total = Sums()
    for name in names:
        total.add(by_name[name])
    return total


def _segment(column: str, found: Segment, scored: Pairs) -> list[tuple[str, Pairs | None, Sums]]:
    lines: list[tuple[str, Pairs | None, Sums]] = [
        (value, [*scored, (f"segment.{column}", value)], sums) for value, sums in found.values.items()
    ]
    if found.more:
        lines.append((count(found.more, "other"), None, found.others))
    if found.unknown.count:
        lines.append(("Not known", None, found.unknown))
    return lines


def _themes(summary: Summary, model: Model) -> list[Theme]:
    """Fit first, then intent; within each the most frequent in the strongest band first."""
    bands = list(summary.bands)
    ordered = sorted(
        summary.themes,
        key=lambda theme: (theme not in FIT_THEMES, *(-summary.themes[theme].get(band, 0) for band in bands), theme),
    )
    return [
        Theme(
            theme,
            theme in FIT_THEMES,
            [
                (band, summary.themes[theme].get(band, 0), link_of(model, [("theme", theme), ("band", band)]))
                for band in bands
            ],
        )
        for theme in ordered
    ]


def _done(summary: Summary, model: Model) -> list[Done]:
    found = []
    for place, (band, sums) in enumerate(summary.bands.items()):
        acted = summary.acted.get(band, 0)
        links = [link_of(model, [("band", band), ("acted", word)]) for word in ("yes", "no")]
        found.append(Done(band, place, sums.count, acted, links[0], sums.count - acted, links[1]))
    return found


def _differences(compared: Compared, model: Model, scored: Pairs) -> list[Difference]:
    then, now, stake = compared.then.total, compared.now.total, model.outcome.stake
    everything = link_of(model, scored)
    infinitive = INFINITIVES.get(model.outcome.name, "have the outcome")
    found = [
        Difference(f"{model.outcome.crowd.capitalize()} with a score", then.count, now.count, "count", everything),
        Difference(f"Expected to {infinitive}", then.expected, now.expected, "expected", everything),
        Difference(stake.amount.capitalize(), then.at_stake, now.at_stake, "money", everything),
        Difference("Worth in all", then.value, now.value, "money", everything),
    ]
    strongest = model.bands[0][0]
    bands = [each.bands.get(strongest) for each in (compared.then, compared.now)]
    counts = [0 if each is None else each.count for each in bands]
    found.append(
        Difference(f"In band {strongest}", counts[0], counts[1], "count", link_of(model, [("band", strongest)]))
    )
    return found
