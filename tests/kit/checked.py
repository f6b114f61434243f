"""What `python -m features check` finds in a source, asked by the two models of the demo: a third would cost as much as each."""

from __future__ import annotations

from features.readiness.line import Line
from features.readiness.report import usability
from features.sources.source import Source
from models.catalog import DEMO, MODELS

ASKED = tuple(MODELS[name] for name in DEMO)


def checked(source: Source) -> list[Line]:
    return usability(source, ASKED)
