"""lead-fit: which open leads are likely to become customers."""

from __future__ import annotations

from models.definition import Band, Capacity, Model, Observation, Outcome, Parameter, Profit
from models.gates import standard_gates

MODEL = Model(
    name="lead-fit",
    title="Lead fit",
    question="How likely is it that this lead's company becomes a customer within 60 days?",
    not_for="Deciding who may buy, or judging the people who work on leads; it orders a queue.",
    entity="lead",
    population="leads that are open: not converted, not closed, not internal, not opted out",
    horizon_days=60,
    outcome=Outcome(label="converted", noun="conversion", happened="converted", crowd="leads", good=True),
    label_table="lead_labels",
    themes=("engagement", "acquisition", "firmographic", "commercial", "usage", "custom"),
    bands=(
        Band("low", 1, "the lower half: leave to automatic mails"),
        Band("medium", 51, "the next third: work on when there is time"),
        Band("high", 81, "the best fifth: call first"),
    ),
    gates=standard_gates(),
    profit=Profit(
        metric="empa",
        source="Verbraken et al.; the measure for acquisition in empulse (empa)",
        parameters=(
            Parameter("alpha", 12.0, "shape", "Gamma(alpha, beta): what a won customer contributes"),
            Parameter("beta", 0.0015, "rate", "with alpha 12 the mean contribution is 12 / 0.0015 = 8,000"),
            Parameter("contact_cost", 50.0, "money", "what it costs to make contact with one lead"),
            Parameter("sales_cost", 500.0, "money", "what it costs to bring a lead that is interested to a contract"),
            Parameter("direct_selling", 1.0, "share", "share of leads handled by our own people, not by partners"),
            Parameter("commission", 0.1, "share", "what a partner keeps of the contribution"),
        ),
    ),
    capacity=Capacity(
        share=0.2, contact_cost=50.0, success=1.0,
        success_meaning="share of leads that would convert and do so only when they are worked on",
    ),
    observation=Observation(step_days=28, warm_up_days=28),
)  # fmt: skip
