"""Expansion: how likely is a paying account to pay at least a tenth more in 90 days?

Who is eligible and what counts says `features/outcomes/expansion.py`.
"""

from __future__ import annotations

from features.outcomes.expansion import EXPANSION
from models.definition import Gates, Growth, Model

MODEL = Model(
    name="expansion",
    title="Expansion",
    outcome=EXPANSION,
    themes=("firmographic", "acquisition", "engagement", "usage", "commercial", "support", "billing", "custom"),
    gates=Gates(
        min_positives=60,
        min_negatives=200,
        selection_reasons={
            "plan": "smaller plans have more room to grow; to be off the list takes nothing from an account",
            "industry": "industries grow at different rates; to be off the list takes nothing from an account",
        },
    ),
    segments=("region", "plan", "industry"),
    capacity_share=0.10,
    contact_cost=100.0,  # two hours of an account manager
    profit=Growth(),
)
