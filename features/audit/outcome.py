"""What came of an entity, as the audit of a source asks it: did it leave, did it buy, within the horizon?

The labels that models learn from are finer (they know of returns, of mail domains) and live above this package; a test
holds the two together on the sample company.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from features.outcomes.catalog import outcomes_of
from features.outcomes.outcome import Outcome
from features.panel import lead_company
from features.signals.signal import THEMES, Entity, Theme
from features.sources.casts import quote
from features.sources.schema import ENTITIES
from features.sources.source import Source

RETURN_DAYS = 30
"""A customer who pays again within so many days has not left."""


@dataclass(frozen=True)
class Question:
    """What a model asks of an entity."""

    model: str
    entity: Entity
    horizon_days: int
    labels: str
    """The table of ready outcomes, and below its column."""
    column: str
    min_positives: int = 60
    """Fewest entities and dates with the outcome, and without it, that the model's gates ask for."""
    min_negatives: int = 200
    grid_days: int = 28
    lead_days: int | None = None
    warm_up_days: int = 84
    themes: tuple[Theme, ...] = THEMES
    exclude: tuple[str, ...] = ()
    population: None = None

    @property
    def outcome(self) -> Outcome:
        return outcomes_of(self.entity)[0]

    @property
    def name(self) -> str:
        """The model's name, as rules of readiness ask for it (`features.readiness.labelled_rows.Asked`)."""
        return self.model


LEAD_THEMES: tuple[Theme, ...] = ("firmographic", "acquisition", "engagement", "commercial", "custom")
QUESTIONS = {
    q.model: q
    for q in (
        Question("churn-risk", "account", 90, "churn_labels", "churned"),
        Question("lead-fit", "lead", 60, "lead_labels", "converted", themes=LEAD_THEMES),
    )
}
_PAID = "status IN ('active', 'notice') AND mrr > 0"


def question_of(model: str) -> Question:
    if model not in QUESTIONS:
        raise UserMistake(f"no model {model!r}: one of {', '.join(QUESTIONS)}")
    return QUESTIONS[model]


def answerable(source: Source, question: Question) -> str | None:
    """None when the source can tell the outcome, else what it lacks."""
    if not source.has(ENTITIES[question.entity]):
        return f"no table {ENTITIES[question.entity]}"
    rest = ("subscriptions",) if question.entity == "account" else ("opportunities", "subscriptions")
    if any(source.has(table) for table in (question.labels, *rest)):
        return None
    return f"none of the tables {question.labels}, {', '.join(rest)}, which tell the outcome"


def told_by(source: Source, question: Question) -> tuple[str, ...]:
    """The tables that the outcome is read from."""
    if source.has(question.labels):
        return (question.labels,)
    rest = ("subscriptions",) if question.entity == "account" else ("opportunities", "subscriptions")
    return tuple(table for table in rest if source.has(table))


def is_snapshot(source: Source, question: Question) -> bool:
    """Whether the ready outcomes have no dates: then there is one answer for an entity, whatever the moment."""
    if not source.has(question.labels):
        return False
    return source.query(f"SELECT count(event_us) FROM {quote(question.labels)}")[0][0] == 0


def answers(source: Source, question: Question, entity_id: np.ndarray, as_of_us: np.ndarray) -> np.ndarray:
    """1.0 it happened in [as_of, as_of + horizon), 0.0 it did not, NaN not known yet; one per row given."""
    horizon = question.horizon_days * DAY_US
    rows = pa.table(
        {"n": np.arange(len(entity_id)), "entity_id": pa.array(entity_id, pa.string()), "as_of_us": as_of_us}
    )
    source.connection.register("audited_rows", rows)
    table, key = quote(question.labels), f"{question.entity}_id"
    if is_snapshot(source, question):
        known = (
            f"SELECT n, max({question.column}::INT) AS y FROM audited_rows JOIN {table} ON {key} = entity_id GROUP BY n"
        )
    elif source.has(question.labels):
        came = f"SELECT {key} AS who, event_us AS at_us FROM {table} WHERE {question.column} AND {source.was_seen()}"
        known = _within(came, horizon, once=question.entity == "lead")
    elif question.entity == "account":
        known = f"""
            SELECT r.n, (count(s.account_id) = 0)::INT AS y FROM audited_rows r
            LEFT JOIN subscriptions s ON s.account_id = r.entity_id AND {_PAID}
                AND s.from_us < r.as_of_us + {horizon + RETURN_DAYS * DAY_US} AND s.until_us >= r.as_of_us + {horizon}
            GROUP BY r.n"""
    else:
        known = _within(" UNION ALL ".join(_bought(source)), horizon, once=True)
    found = np.full(len(entity_id), np.nan)
    for n, y in source.query(known):
        found[n] = y
    if not is_snapshot(source, question):
        settled = 0 if source.has(question.labels) or question.entity == "lead" else RETURN_DAYS * DAY_US
        found[as_of_us + horizon + settled > source.observed.until_us(*told_by(source, question))] = np.nan
    return found


def _within(events: str, horizon: int, once: bool) -> str:
    """`once`: who had it before as_of, without our knowing, cannot have it again and has no answer."""
    y = f"(count(e.who) FILTER (e.at_us >= r.as_of_us AND e.at_us < r.as_of_us + {horizon}) > 0)::INT"
    before = "count(e.who) FILTER (e.at_us < r.as_of_us) > 0"
    return f"""
        SELECT r.n, {f"CASE WHEN {before} THEN NULL ELSE {y} END" if once else y} AS y
        FROM audited_rows r LEFT JOIN ({events}) e ON e.who = r.entity_id GROUP BY r.n"""


def _bought(source: Source) -> list[str]:
    """Moments at which a lead's company bought (linked by account_id, else by mail domain): the lead's own deals, and those and contracts of its account."""
    company = f"({lead_company.links(source)})"
    found = []
    if source.has("opportunities"):
        won = (
            "SELECT {who} AS who, o.event_us AS at_us FROM opportunities o {join} "
            f"WHERE o.status = 'won' AND {{who}} IS NOT NULL AND {source.was_seen('o.')}"
        )
        found.append(won.format(who="o.lead_id", join=""))
        found.append(won.format(who="c.lead_id", join=f"JOIN {company} c USING (account_id)"))
    if source.has("subscriptions"):
        found.append(
            f"SELECT c.lead_id AS who, min(s.event_us) AS at_us FROM subscriptions s JOIN {company} c USING (account_id) "
            f"WHERE {_PAID} AND {source.was_seen('s.')} GROUP BY c.lead_id, s.subscription_id"
        )
    return found
