"""Lead fit: how likely is an open lead to become a customer within 60 days?

Population: leads that are open at `as_of` and not opted out. Outcome: the lead's company wins an opportunity or starts a
paid subscription inside `[as_of, as_of + 60 d)`.
"""

from __future__ import annotations

from models.definition import Acquisition, Gates, Model

MODEL = Model(
    name="lead-fit",
    title="Lead fit",
    entity="lead",
    horizon_days=60,
    outcome="became customers",
    crowd="leads",
    themes=("firmographic", "acquisition", "engagement", "commercial", "custom"),
    sign=1,
    gates=Gates(
        min_positives=60,
        min_negatives=200,
        selection_reasons={
            "channel": "how a lead came says how much it wants; nobody is born into a channel",
            "industry": "the product fits some industries better; the rates that it wins at are on the report",
        },
    ),
    segments=("region", "channel", "industry"),
    capacity_share=0.20,
    contact_cost=100.0,  # two hours of calls and mails
    profit=Acquisition(),
)
