"""churn-risk: which paying accounts are likely to leave."""

from __future__ import annotations

from models.definition import Band, Capacity, Model, Observation, Outcome, Parameter, Profit
from models.gates import standard_gates

MODEL = Model(
    name="churn-risk",
    title="Churn risk",
    question="How likely is it that this paying account ends its last subscription within 90 days?",
    not_for="Pricing, credit or the terms of a single contract; it ranks accounts for a conversation, it does not decide.",
    entity="account",
    population="accounts with an active paid subscription, no notice of leaving, not internal",
    horizon_days=90,
    outcome=Outcome(label="churned", noun="churn", happened="left", crowd="accounts", good=False),
    label_table="churn_labels",
    themes=("usage", "commercial", "support", "billing", "engagement", "firmographic", "custom"),
    bands=(
        Band("low", 1, "the safer half and a little more: no action on the score alone"),
        Band("medium", 71, "the next fifth: watch, and look at the reasons before the next regular talk"),
        Band("high", 91, "the tenth most at risk: talk to them now"),
    ),
    gates=standard_gates(),
    profit=Profit(
        metric="empb",
        source="Janssens et al. (2022), B2Boost: instance-dependent profit-driven modelling of B2B churn",
        parameters=(
            Parameter("alpha", 6.0, "shape", "Beta(alpha, beta): chance that an account about to leave accepts the offer"),
            Parameter("beta", 14.0, "shape", "with alpha 6 the mean acceptance is 6 / (6 + 14) = 30 %"),
            Parameter("incentive_fraction", 0.05, "share", "what the offer costs, as a share of the account's lifetime value"),
            Parameter("contact_cost", 15.0, "money", "what it costs to make contact with one account"),
        ),
    ),
    capacity=Capacity(
        share=0.1, contact_cost=150.0, success=0.3,
        success_meaning="share of accounts about to leave that stay when somebody talks to them in time",
    ),
    observation=Observation(step_days=28, warm_up_days=84),
)  # fmt: skip
