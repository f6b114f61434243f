"""Rows of lists that a test or a benchmark fills in, by the writers of the product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from models.catalog import get_model
from models.scorer.reason_texts import Reason
from models.scorer.scorer import Scorer
from serving.decisions import repository as history
from serving.lists import latest
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.store.connect import Store

REASONS = [
    Reason(signal, theme, value, "up" if effect > 0 else "down", effect, 0.3, text, {signal: effect})
    for signal, theme, value, effect, text in (
        (
            "active_users_change_28d",
            "usage",
            -0.42,
            0.81,
            "12 users were active in the last 28 days, 21 in the 28 days before.",
        ),
        ("days_to_renewal", "commercial", 41.0, 0.33, "The contract is up for renewal in 41 days."),
        ("tickets_escalated_28d", "support", 2.0, 0.22, "2 tickets were escalated in the last 28 days."),
        ("invoices_late_84d", "billing", 3.0, 0.2, "3 invoices were paid late in the last 84 days."),
        ("employees", "firmographic", 120.0, -0.18, "The company has 120 employees."),
        ("last_touch_days", "engagement", 60.0, 0.15, "Nobody was in touch for 60 days."),
        ("channel", "acquisition", "partner", -0.1, "It came by a partner."),
    )
]
"""One of each of seven themes."""
NOW_US = 1_772_344_800_000_000
"""2026-03-01T06:00:00Z, the clock of `tests.kit.inside`."""
_OF_PROFILE = (
    "name",
    "domain",
    "owner",
    "parent_id",
    "target_tier",
    "segments",
    "arr",
    "renewal_at",
    "plan",
    "acted_at",
)


def record(entity_id: str, **given: Any) -> dict[str, Any]:
    """A decision record of the nightly run; `no_score` takes the numbers away, `theme` is that of its only reason."""
    model = given.pop("model", "churn-risk")
    theme = given.pop("theme", "usage")
    scored = given.get("no_score") is None
    values = {"probability": 0.2, "score": 80, "band": "medium"} if scored else {}
    values |= {"value": 1000.0, "as_of_us": NOW_US, "cause": "batch", "run_id": "run", "version": 1} | given
    values.setdefault("recorded_at_us", values["as_of_us"])
    return history.decision(
        **{
            "model": model,
            "entity": get_model(model).entity,
            "entity_id": entity_id,
            "scorer": "x",
            "probability": None,
            "score": None,
            "band": None,
            "no_score": None,
            "reasons": [each for each in REASONS if scored and each.theme == theme],
            "inputs": [],
        }
        | values
    )


def scored(scorer: Scorer, entity_id: str, values: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """What `put` takes for a score that a real scorer gives for these signals."""
    x, faults, _ = scorer.encode_records([values])
    assert not any(faults)
    probability = float(scorer.probability(x)[0])
    score, band = scorer.standing(probability)
    of_scorer = {
        "scorer": scorer.sha256,
        "inputs": scorer.pack(values),
        "reasons": scorer.reasons(values, scorer.effects(x)[0], 5),
    }
    return {"entity_id": entity_id, "probability": probability, "score": score, "band": band, **of_scorer, **given}


def put(store: Store, entities: Iterable[Mapping[str, Any]], now_us: int = NOW_US) -> None:
    """Stores profile, decision record and list row of each: `entity_id`, and what of them is not as usual."""
    told, records = [], []
    for each in entities:
        given = dict(each)
        own = {name: given.pop(name) for name in _OF_PROFILE if name in given}
        made = record(given.pop("entity_id"), **given)
        told.append(Profile(made["entity"], made["entity_id"], made["as_of"], **own))
        records.append(made)
    with store.write() as connection:
        profiles.put(connection, told)
        history.put(connection, records)
        latest.put(connection, records, now_us)
