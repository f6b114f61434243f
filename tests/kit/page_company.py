"""A home whose pages have something to show: two live models with cards, three nights of scores, people, hostile names."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

from features.kit.clock import DAY_US
from models import card, champion_pointer
from models.scorer.scorer import Scorer
from tests.kit.carded import REFUSED, Version, put_card, put_look, put_run, put_standing
from tests.kit.list_rows import NOW_US, put, scored
from tests.kit.queued import put_event, put_write
from tests.kit.scorers import WORDS, copy_scorer
from tests.kit.status_hooks import CONNECTION, SECRET
from tests.kit.stores import new_store

MODELS = ("churn-risk", "lead-fit")
NOW = "2026-03-01T06:00:00Z"
HOSTILE = '<img src="/x" onerror="document.title=1">\u202e evil\u2066'
HOSTILE_ID = 'a/<b> "&?#%2f'
LONG = "W" * 10_000
NIGHTS = 3
ENVIRONMENT = {"ACCOUNTSCORE_NOW": NOW, "STATUS_SECRET": SECRET}
"""Of the processes that serve this home."""


def fill(home: Path, accounts: int = 120, leads: int = 60) -> None:
    """Writes all of it into an empty home."""
    rng = random.Random(3)
    with contextlib.closing(new_store(home)) as store:
        for seed, (model, count) in enumerate(zip(MODELS, (accounts, leads), strict=True)):
            copy_scorer(home / f"{model}.made", model, seed=seed)
            with champion_pointer.locked(home, model):
                champion_pointer.put_live(home, model, home / f"{model}.made", 1)
            scorer = Scorer.load(home / f"{model}.made")
            people = [_profile(rng, model, n) for n in range(count)] + hostile()
            for night in range(NIGHTS):
                as_of = NOW_US - (NIGHTS - 1 - night) * DAY_US
                rows = [{**each, "model": model, "as_of_us": as_of, "run_id": f"run-{night}"} for each in people]
                put(store, [_row(rng, scorer, each) for each in rows], NOW_US)
        (home / "connections").mkdir()
        (home / "connections" / "crm.toml").write_text(CONNECTION)
        put_write(store, "crm", "dead", 5, error="HTTP 400")
        put_event(store, "crm", "failed", 6, "no such object")
    for model in MODELS:
        put_card(home, 1, model)
        put_card(home, 2, model, **REFUSED)
        (card.place(home, model, 1) / "report.html").write_text("<!doctype html><title>Report</title><h1>Report</h1>")
        put_standing(home, Version(1, ("champion",)), Version(2), model=model)
        put_look(home, "2026-02-28", model)
    of_run = {model: {"version": 1, "rows": n, "scored": n} for model, n in zip(MODELS, (accounts, leads), strict=True)}
    put_run(home, "2026-03-01", accounts, models=of_run)


def hostile() -> list[dict[str, Any]]:
    """Entities whose names are markup, turn the text around, or have no end."""
    return [
        {
            "entity_id": HOSTILE_ID,
            "name": HOSTILE,
            "owner": HOSTILE,
            "domain": "evil.example",
            "segments": {"industry": HOSTILE},
        },
        {"entity_id": "long", "name": LONG, "owner": LONG[:300], "domain": "w" * 200 + ".example", "value": 9e12},
        {"entity_id": "twice-1", "name": "Twin Tools", "domain": "one.example"},
        {"entity_id": "twice-2", "name": "Twin Tools", "domain": "two.example"},
    ]


def _profile(rng: random.Random, model: str, n: int) -> dict[str, Any]:
    name = f"{rng.choice(('Acme', 'Beta', 'Cobalt', 'Delta'))} {rng.choice(('Tools', 'Robotics', 'Foods'))} {n}"
    found = {
        "entity_id": f"{model[0]}{n:03}",
        "name": name,
        "domain": f"{name.lower().replace(' ', '-')}.example",
        "owner": rng.choice(("jane", "k.roe", "Max Mayer", None)),
        "segments": {"industry": rng.choice(("food", "steel")), "region": rng.choice(("emea", "amer"))},
        "value": round(rng.lognormvariate(9, 1), 2),
    }
    if model == "churn-risk":
        found |= {"arr": found["value"], "renewal_at": NOW_US + rng.randint(-20, 300) * DAY_US, "plan": "team"}
        if n % 10 == 3:
            found["parent_id"] = "c000"
    return found


def _row(rng: random.Random, scorer: Scorer, given: dict[str, Any]) -> dict[str, Any]:
    if rng.random() < 0.1:
        code = "already_leaving" if given["model"] == "churn-risk" else "closed"
        return {**given, "no_score": code}
    values: dict[str, Any] = {f"number_{i}": rng.choice((None, rng.gauss(0, 10**i))) for i in range(6)}
    values |= {f"word_{i}": rng.choice(WORDS) for i in range(2)}
    own = dict(given)
    return scored(scorer, own.pop("entity_id"), values, **own)
