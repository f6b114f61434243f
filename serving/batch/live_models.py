"""Which models a nightly run can score: those with a champion whose tables the source has, none of them broken."""

from __future__ import annotations

from collections.abc import Sequence

from features.kit.errors import Fault
from features.outcomes.needed_tables import tables_for
from features.sources.schema import ENTITIES
from features.sources.source import Source
from serving.champion import Champion, Champions


def live_models(source: Source, champions: Champions) -> tuple[list[Champion], list[str]]:
    """The champions that can score this source, and the models without a champion."""
    live: list[Champion] = []
    lacking: list[str] = []
    blocked = blocked_models(source, champions)
    for definition in champions.definitions():
        if definition.name not in blocked and source.has(ENTITIES[definition.entity]):
            champion = champions.present(definition.name)
            if champion is None:
                lacking.append(definition.name)
            else:
                live.append(champion)
    return live, lacking


def of_entity(live: Sequence[Champion], entity: str) -> list[Champion]:
    """The live models that score this kind of entity."""
    return [champion for champion in live if champion.entity == entity]


def blocked_models(source: Source, champions: Champions) -> dict[str, tuple[Fault, ...]]:
    """Models with a champion that read a broken table of the source, and its faults."""
    return {
        definition.name: faults
        for definition in champions.definitions()
        if champions.present(definition.name) is not None
        and source.has_file(ENTITIES[definition.entity])
        and (faults := source.faults_for(tables_for(definition.entity, definition.themes, definition.outcome)))
    }
