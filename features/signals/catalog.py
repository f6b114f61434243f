"""All signals by entity. Each theme is one module, registered here."""

from __future__ import annotations

from features.signals import acquisition, billing, commercial, engagement, firmographic, support, usage
from features.signals.definition import Definition
from features.signals.signal import Entity, Signal

THEME_MODULES = (firmographic, acquisition, engagement, usage, commercial, support, billing)


def definitions(entity: Entity) -> tuple[Definition, ...]:
    """Every definition for an entity, in the order of the catalog."""
    return tuple(d for module in THEME_MODULES for d in module.DEFINITIONS if d.entity == entity)


def signals() -> list[Signal]:
    """Every signal once; one that both entities have names both."""
    merged: dict[str, Signal] = {}
    for entity in ("account", "lead"):
        for definition in definitions(entity):
            known = merged.get(definition.signal.name)
            if known is None:
                merged[definition.signal.name] = definition.signal
            else:
                both = tuple(dict.fromkeys((*known.entities, entity)))
                tables = tuple(sorted({*known.tables, *definition.signal.tables}))
                merged[known.name] = Signal(**{**known.__dict__, "entities": both, "tables": tables})
    return list(merged.values())
