"""The definition of a model: its fields, their defaults and their checks. Each model is one file (`churn_risk.py`, `lead_fit.py`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from features.kit.errors import BadInput, Fault
from features.outcomes.catalog import OUTCOMES
from features.outcomes.outcome import Outcome
from features.signals.signal import THEMES, Entity, Signal, Theme
from models.population import EVERYBODY, Population

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
RESERVED = ("account", "connections", "lead", "models", "runs", "sign-in", "sign-out", "static", "status")
"""Words that stand after /v1/ in paths of the API, or after /ui/ in those of the page, where a model's name would."""


@dataclass(frozen=True)
class Gates:
    """What a version must show on the untouched test period before it may serve."""

    min_positives: int = 40
    """Fewest rows with the outcome, in training and again in the test period a quarter of it."""
    min_negatives: int = 40
    min_auc: float = 0.55
    """Lowest ROC AUC. The lower end of its 95 % interval must lie above 0.5 as well."""
    max_calibration_error: float = 0.05
    """Largest mean distance of predicted and observed rate over 10 bins of equal count. An error that a perfectly calibrated model
    of this size can show passes too."""
    max_calibration_share: float = 0.3
    """Largest calibration error as a share of the observed rate: 0.03 is little at a rate of 0.4, and much at 0.06."""
    max_segment_error: float = 0.10
    """As `max_calibration_error`, within each large segment."""
    max_segment_share: float = 0.5
    """As `max_calibration_share`, within each large segment."""
    min_segment_rows: int = 200
    beat_rule: bool = True
    """Whether the AUC must lie above that of the best one-column rule, beyond noise, however good the rule is."""
    min_selection_ratio: float = 0.8
    """Lowest selection rate of a group of the segments over that of all others (the four-fifths rule, 29 CFR 1607.4 D)."""
    selection_reasons: Mapping[str, str] = field(default_factory=dict)
    """Segment, or group as "plan = free" -> why its groups may be selected at different rates; for people to read."""
    accepted_findings: Mapping[str, str] = field(default_factory=dict)
    """Signal with an audit finding of high severity -> why it is not a leak. Such a finding is no longer open."""


@dataclass(frozen=True)
class Watch:
    """Limits of `training monitor`: beyond one of them someone should look at the live model.

    A difference that chance explains raises no alarm, whatever the limit.
    """

    max_psi: float = 0.25
    """Population stability index of a signal, or of the score, against training: 0.1 is a shift, 0.25 a large one
    (Siddiqi, 2006, "Credit Risk Scorecards")."""
    min_weight: float = 0.03
    """Drift of a signal counts when the signal has at least this share (0 to 1) of the effects of all signals."""
    max_new_words: float = 0.05
    """Largest rise of the share of entities whose word the model does not know."""
    max_outside: float = 0.05
    """Largest share of entities whose number lies outside the range of training."""
    max_missing_rise: float = 0.10
    """Largest rise of the share of entities without a value."""
    max_ratio: float = 1.25
    """Observed outcomes over expected ones, or the reverse."""
    min_expected: float = 10.0
    """Bands with fewer expected outcomes are not checked."""
    max_auc_loss: float = 0.03
    """Largest loss of AUC: observed below estimated, or estimated below the lower end of what was judged."""
    max_silent_days: float = 7.0
    """Days between the newest row of the source and `as_of`."""


@dataclass(frozen=True)
class Retention:
    """Money of keeping an account: the parameters of EMPB, the expected maximum profit of B2B churn models.

    Janssens, Bogaert, Bagué & Van den Poel (2022), "B2Boost: Instance-dependent profit-driven modelling of B2B churn".
    """

    accept_alpha: float = 6.0
    """The share of would-be leavers whom an offer keeps is Beta(alpha, beta): 0.3 on average, 0.13 to 0.51 in 95 of 100."""
    accept_beta: float = 14.0
    incentive_share: float = 0.05
    """What the offer costs, as a share (0 to 1) of the account's value; also paid to those who would have stayed."""
    value_years: float = 1.0
    """Years of recurring revenue that a kept account is worth."""

    @property
    def accept_rate(self) -> float:
        """Share (0 to 1) of the accounts about to leave that stay when somebody acts in time."""
        return self.accept_alpha / (self.accept_alpha + self.accept_beta)


@dataclass(frozen=True)
class Growth:
    """Money of an account that grows: a share of the recurring revenue that it pays already."""

    rise_share: float = 0.10
    """The least rise that counts, as a share (0 to 1) of the yearly recurring revenue."""

    @property
    def accept_rate(self) -> float:
        """1: the outcome is counted with the contact that accounts get today."""
        return 1.0


@dataclass(frozen=True)
class Acquisition:
    """Money of winning a customer: the parameters of EMPA, the expected maximum profit of acquisition models.

    `empulse.metrics.empa` has the formula. Leads are handled by the company's own people (`direct_share` 1) or passed on to partners.
    """

    contribution_alpha: float = 12.0
    """What a new customer contributes is Gamma(alpha, rate beta): 8,000 on average, 4,100 to 13,100 in 95 of 100."""
    contribution_beta: float = 0.0015
    sales_cost: float = 500.0
    """Cost of the sale to one who buys, in the currency of the source, beyond the first contact."""
    direct_share: float = 1.0
    """Share of the leads (0 to 1) that are sold to directly."""
    commission: float = 0.1
    """Share of the contribution (0 to 1) that partners keep for the others."""

    @property
    def contribution(self) -> float:
        """Mean contribution of a new customer, in the currency of the source."""
        return self.contribution_alpha / self.contribution_beta

    @property
    def accept_rate(self) -> float:
        """1: the outcome is counted with the contact that leads get today."""
        return 1.0


class BadModel(BadInput):
    """Raised with every fault of a model's file at once; such a model does not load."""


@dataclass(frozen=True)
class Model:
    """One outcome to predict, within one horizon, and what is done about it."""

    name: str
    title: str
    outcome: Outcome = None  # type: ignore[assignment]  # left out, it is reported as a fault with all others
    """The question: `features.outcomes.churn.CHURN`. Entity, labels, eligibility and words are its."""
    themes: tuple[Theme, ...] = THEMES
    horizon_days: int = 0
    """Days within which the outcome counts; that of the outcome where it is not given."""
    population: Population = EVERYBODY
    """The part of the eligible that it is for: `where("plan").is_in("enterprise")` (`models.population`)."""
    exclude: tuple[str, ...] = ()
    """Signals to leave out although themes and source offer them: constant, unwanted, or leaking the outcome."""
    free: tuple[str, ...] = ()
    """Signals whose direction is left to the data although the catalog knows one for the relationship."""
    bands: tuple[tuple[str, int], ...] = (("high", 90), ("medium", 70), ("low", 1))
    """Name and lowest percentile of each band, highest first, without gaps."""
    gates: Gates = field(default_factory=Gates)
    grid_days: int = 28
    """Days between the dates at which it is trained and judged."""
    lead_days: int | None = None
    """When entities are observed. None: on the calendar grid. A number: once per contract term, this many days (up to 6 more, on
    the weekly grid) before the renewal as known then, so that there is time to act. The horizon must reach past the renewal."""
    warm_up_days: int = 84
    """History that an entity's windows need before the first of those dates."""
    segments: tuple[str, ...] = ()
    """Signals by whose values quality is judged separately."""
    capacity_share: float = 0.10
    """Share of the entities that people can act upon in one horizon."""
    contact_cost: float = 50.0
    """Cost of acting upon one entity, in the currency of the source."""
    watch: Watch = field(default_factory=Watch)
    holdout_share: float = 0.0
    """Share of the entities (0 to 1) that nobody acts upon, so that the effect of acting can be measured (`models.holdout`)."""
    profit: Retention | Acquisition | Growth | None = None
    """What acting is worth; None when nothing is known of it."""
    in_demo: bool = False
    """Whether `make demo` trains it when nobody says which."""

    def __post_init__(self) -> None:
        if faults := faults_of(self):
            raise BadModel(f"model {self.name!r}", faults)
        if not self.horizon_days:
            object.__setattr__(self, "horizon_days", self.outcome.horizon_days)

    @property
    def entity(self) -> Entity:
        """What a row is about: `account` or `lead`."""
        return self.outcome.entity

    @property
    def crowd(self) -> str:
        """What the entities are called: `accounts`."""
        return self.outcome.crowd

    @property
    def verb(self) -> str:
        """What happened to those with the outcome, as a verb in the past: `left`."""
        return self.outcome.verb

    @property
    def sign(self) -> Literal[-1, 1]:
        """+1 when what is good for the relationship raises the probability, -1 when it lowers it."""
        return self.outcome.sign

    def direction(self, signal: Signal) -> Literal[-1, 0, 1]:
        """Monotone direction of the probability in a signal: 1 rising, -1 falling, 0 free."""
        if signal.is_category or signal.name in self.free:
            return 0
        product = signal.good * self.sign
        return 1 if product > 0 else -1 if product < 0 else 0

    def band_of(self, percentile: int) -> str:
        """The band of a percentile 1..100."""
        return next(name for name, lowest in self.bands if percentile >= lowest)


def _is(given: object, kind: type) -> bool:
    """`isinstance`, hidden from the type checker: a model's file may hold anything in any field."""
    return isinstance(given, kind)


def faults_of(model: Model) -> list[Fault]:
    """Everything that is wrong with a model's file, field by field."""
    file = f"models/{str(model.name).replace('-', '_')}.py"
    faults = []

    def fault(name: str, rule: str, next_step: str) -> None:
        found = f"it is {getattr(model, name)!r}"
        faults.append(Fault(where=f"{file}, field {name}", found=found, rule=rule, next_step=next_step))

    if not (isinstance(model.name, str) and NAME.fullmatch(model.name)):
        fault("name", "small letters and digits, with hyphens between them", 'write it as in name="churn-risk"')
    elif model.name in RESERVED:
        rule = f"not one of {', '.join(RESERVED)}: /v1/{model.name} of the API or /ui/{model.name} of the page is something else"
        fault("name", rule, f'give it another name, as in name="{model.name}-risk"')
    if not (isinstance(model.title, str) and model.title.strip()):
        fault("title", "some words for people", 'write it as in title="Churn risk"')
    horizon = model.horizon_days
    if not _is(model.outcome, Outcome):
        rule = "a model asks one outcome, an object of features/outcomes/"
        fault(
            "outcome",
            rule,
            f"import one of {', '.join(name.upper() for name in OUTCOMES)} and write outcome={next(iter(OUTCOMES)).upper()}",
        )
    else:
        horizon = horizon or model.outcome.horizon_days
    if type(model.horizon_days) is not int or model.horizon_days < 0:
        fault("horizon_days", "a whole number of days above 0", "write one, or leave it out: the outcome has one")
    elif horizon and model.lead_days is not None and not 0 <= model.lead_days <= horizon - 7:
        rule = f"0..{horizon - 7}: a renewal up to 6 days later must lie inside the horizon of {horizon} days"
        fault("lead_days", rule, "write a smaller number, a longer horizon, or None: a calendar grid")
    for name in ("themes", "exclude", "free", "segments"):
        if not isinstance(getattr(model, name), tuple):
            fault(name, "a tuple of names", f'write it with a comma: {name}=("plan",)')
    if isinstance(model.themes, tuple) and not (model.themes and set(model.themes) <= set(THEMES)):
        fault("themes", f"one or more of {', '.join(THEMES)}", "mend the names, or leave the field out: all of them")
    lowest = [percentile for _, percentile in model.bands]
    if lowest != sorted(set(lowest), reverse=True) or not lowest or lowest[-1] != 1 or lowest[0] > 100:
        fault(
            "bands", "percentiles that fall from at most 100 down to 1", 'write them as in (("high", 90), ("low", 1))'
        )
    for name in ("grid_days", "warm_up_days"):
        if type(getattr(model, name)) is not int or getattr(model, name) < (name == "grid_days"):
            fault(
                name,
                "a whole number of days",
                f"write one, or leave it out: {type(model).__dataclass_fields__[name].default}",
            )
    for name in ("capacity_share", "holdout_share"):
        if not 0 <= getattr(model, name) <= 1:
            fault(name, "a share from 0 to 1", "write it as in 0.1: one in ten")
    if not _is(model.population, Population):
        fault("population", "a filter on signals", 'write it as in where("plan").is_in("enterprise"), or leave it out')
        return faults
    return [*faults, *model.population.malformed(str(model.name))]
