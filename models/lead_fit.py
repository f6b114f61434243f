"""Lead fit: how likely is an open lead to become a customer within 60 days?

Population: leads that are open at `as_of` and not opted out. Outcome: the lead's company wins an opportunity or starts a
paid subscription inside `[as_of, as_of + 60 d)`.
"""

from __future__ import annotations

from models.definition import Gates, Model

MODEL = Model(
    name="lead-fit",
    title="Lead fit",
    entity="lead",
    horizon_days=60,
    outcome="became customers",
    crowd="leads",
    themes=("firmographic", "acquisition", "engagement", "commercial", "custom"),
    sign=1,
    gates=Gates(min_positives=60, min_negatives=200),
    segments=("region", "channel", "industry"),
    capacity_share=0.20,
    contact_cost=30.0,  # a quarter of a day of calls and mails
    accept_rate=1.0,  # the outcome is counted with the contact that leads get today
)
