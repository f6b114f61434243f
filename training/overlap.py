"""Checks that no other live model of the same outcome covers the same entities: each entity has one score per outcome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from features.kit.settings import Settings
from models import champion_pointer
from models.catalog import MODELS
from models.definition import Model
from models.population import Population, disjoint
from models.scorer.scorer import Scorer, ScorerRefused
from training.errors import SharedPopulation

if TYPE_CHECKING:  # it brings DuckDB and pandas, which most promotions do not need
    from features.sources.source import Source


@contextmanager
def one_at_a_time(home: Path, definition: Model) -> Iterator[None]:
    """One promotion of an outcome at a time: two models that share accounts cannot both look before either is live."""
    busy = UserMistake(
        f"another promotion of a model of {definition.outcome.name} is going on: let it end, and run this again"
    )
    with file_lock(home / "champions" / f".{definition.outcome.name}.lock", champion_pointer.LOCK_SECONDS, busy):
        yield


def require_apart(settings: Settings, definition: Model, scorer: Scorer, source: Source | None = None) -> None:
    """Raises `SharedPopulation` when a scorer covers entities of another live model of its outcome; the message has their number.

    Where the conditions themselves keep the two apart no data are asked; else `source`, or that which the scorer was learnt from.
    """
    others = {name: live for name, live in _live(settings.home, definition) if not disjoint(live, scorer.spec.narrowed)}
    if not others:
        return
    from features.readiness.population import members

    opened = source or _reopened(scorer, definition, others)
    asked = [replace(definition, population=scorer.spec.narrowed)]
    asked += [replace(MODELS[name], population=population) for name, population in others.items()]
    found = members(opened, asked)
    for name, population in others.items():
        both = found.shared().get((definition.name, name))
        if both:
            raise SharedPopulation(
                f"{definition.name} is not promoted: {both:,} of {found.eligible:,} eligible {definition.crowd} of source "
                f"{opened.name!r} are in its population ({scorer.spec.narrowed}) and in that of {name} ({population}), which is "
                f"live. Rule: two live models of {definition.outcome.name} share nobody. Next: narrow one of the two by the field "
                f"population of its file, train it again, and promote the narrower one first"
            )


def _live(home: Path, definition: Model) -> Iterator[tuple[str, Population]]:
    """The other live models of its outcome, each with its population."""
    for name, other in MODELS.items():
        if name == definition.name or other.outcome is not definition.outcome:
            continue
        try:
            pointer = champion_pointer.read_pointer(home, name)
            if pointer is not None:
                yield name, Scorer.load(pointer.path).spec.narrowed
        except (ScorerRefused, ValueError) as error:
            raise SharedPopulation(
                f"{definition.name} is not promoted: whom {name} is for is not known, its champion cannot be read ({error}); promote "
                f"{name} again first"
            ) from None


def _reopened(scorer: Scorer, definition: Model, others: dict[str, Population]) -> Source:
    """The source that a scorer was learnt from, where it is one that is found by its name."""
    from features.sources.loader import open_source

    name = scorer.spec.source or ""
    try:
        return open_source(name, keep_going=True)
    except UserMistake as error:
        raise SharedPopulation(
            f"{definition.name} is not promoted: whom it shares with {', '.join(others)} cannot be counted ({error}). Rule: two live "
            f"models of {definition.outcome.name} share nobody. Next: repeat the command with --source and --data"
        ) from None
