"""Churn risk: how likely is a paying account to leave within 90 days?

Who is eligible and what counts says `features/outcomes/churn.py`.
"""

from __future__ import annotations

from features.outcomes.churn import CHURN
from models.definition import Gates, Model, Retention

MODEL = Model(
    name="churn-risk",
    title="Churn risk",
    outcome=CHURN,
    themes=("firmographic", "acquisition", "engagement", "usage", "commercial", "support", "billing", "custom"),
    # New people may be a hand-over, and a rise from a low is not a high: these go both ways.
    free=("new_users_28d", "longest_silence_84d", "usage_regularity_28d", "contacts_left_share"),
    gates=Gates(
        min_positives=60,
        min_negatives=200,
        selection_reasons={
            "plan": "larger plans leave less often; to be off the list of those at risk takes nothing from an account",
            "industry": "industries leave at different rates; to be off the list takes nothing from an account",
        },
    ),
    segments=("region", "plan", "industry"),
    capacity_share=0.10,
    contact_cost=100.0,  # two hours of a customer-success manager
    profit=Retention(),
    in_demo=True,
)
