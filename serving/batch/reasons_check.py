"""Counts faults in the reasons of a published run: contradictions, and ideas that one list tells twice.

It reads only what was published, as people do; it uses neither the scorer nor the code that writes the sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from features.signals.catalog import definitions
from features.signals.signal import Entity, topic_of
from serving.manifest import parts_of, read_manifest

MOST_EXAMPLES = 5
_RATE = re.compile(r"(?:like this|,) ([\d.]+) % [^%]*\(([\d.]+) % overall\)\.$")


@dataclass
class Counted:
    """Counts of one model's reasons."""

    lists: int = 0
    """Entities with reasons."""
    reasons: int = 0
    with_rate: int = 0
    """Reasons that give the outcome's rate for similar entities."""
    contradictions: int = 0
    """Reasons whose rate contradicts the direction of their effect: it lies on the other side of the overall rate."""
    told_twice: int = 0
    """Lists that repeat an idea: two signals of one topic, or two sentences that say the same."""
    examples: list[str] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        return not (self.contradictions or self.told_twice)


def check_reasons(scores: Path) -> tuple[str, dict[str, Counted]]:
    """The run's id, and what was counted by model. Raises `UserMistake` when no whole run was published there."""
    manifest = read_manifest(scores)
    found = {}
    for model, about in manifest["models"].items():
        reasons = (row for part in parts_of(scores, manifest, model) for row in part["reasons"].to_pylist())
        found[model] = count(reasons, about["entity"])
    return manifest["run_id"], found


def count(lists: Iterable[Sequence[Mapping[str, Any]] | None], entity: Entity) -> Counted:
    """Lists of reasons as they are published (`serving.batch.schema.REASON`)."""
    topics = {each.signal.name: each.signal.about for each in definitions(entity)}
    counted = Counted()
    for reasons in lists:
        if reasons:
            _count(counted, reasons, topics)
    return counted


def _count(counted: Counted, reasons: Sequence[Mapping[str, Any]], topics: Mapping[str, str]) -> None:
    counted.lists += 1
    counted.reasons += len(reasons)
    ideas, said = [], []
    for reason in reasons:
        rate = _RATE.search(reason["text"])
        counted.with_rate += rate is not None
        if rate is not None and (float(rate[1]) - float(rate[2])) * reason["effect"] < 0:
            counted.contradictions += 1
            _note(counted, f"effect {reason['effect']:+.2f}: {reason['text']}")
        name = reason["signal"]
        ideas.append((reason["theme"] == "custom", topics.get(name) or topic_of(name)))
        said.append(reason["text"].split(";")[0].rstrip("."))
    if len(set(ideas)) < len(ideas) or len(set(said)) < len(said):
        counted.told_twice += 1
        twice = [i for i in range(len(ideas)) if ideas.count(ideas[i]) > 1 or said.count(said[i]) > 1]
        _note(counted, "told twice: " + " | ".join(said[i] for i in twice))


def _note(counted: Counted, example: str) -> None:
    if len(counted.examples) < MOST_EXAMPLES:
        counted.examples.append(example)


def as_json(run_id: str, found: Mapping[str, Counted]) -> dict[str, Any]:
    """The counts by model, and whether all are fine."""
    return {
        "run_id": run_id,
        "fine": all(counted.is_fine for counted in found.values()),
        "models": {model: asdict(counted) for model, counted in found.items()},
    }


def lines(found: Mapping[str, Counted]) -> list[str]:
    """The counts for people."""
    said = []
    for model, counted in found.items():
        said.append(
            f"{model}: {counted.reasons:,} reasons of {counted.lists:,} lists, {counted.with_rate:,} with a rate; "
            f"contradictions {counted.contradictions:,}, lists that tell an idea twice {counted.told_twice:,}"
        )
        said += [f"  {example}" for example in counted.examples]
    return said
