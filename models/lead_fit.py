"""Lead fit: how likely is an open lead to become a customer within 60 days?

Who is eligible and what counts says `features/outcomes/conversion.py`.
"""

from __future__ import annotations

from features.outcomes.conversion import CONVERSION
from models.definition import Acquisition, Gates, Model

MODEL = Model(
    name="lead-fit",
    title="Lead fit",
    outcome=CONVERSION,
    themes=("firmographic", "acquisition", "engagement", "commercial", "custom"),
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
    in_demo=True,
)
