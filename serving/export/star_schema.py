"""Schema of the star, column by column: what BI tools and warehouses read.

Every row carries `run_id` and `as_of`, the moment that it tells of, and never the wall clock. Keys are single columns, because
BI tools relate tables by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TIME, TEXT, NUMBER, COUNT, FLAG, DATE = (
    pa.timestamp("us", "UTC"),
    pa.string(),
    pa.float64(),
    pa.int64(),
    pa.bool_(),
    pa.date32(),
)

WORDS = {TIME: "time", TEXT: "text", NUMBER: "number", COUNT: "whole number", FLAG: "yes/no", DATE: "date"}
"""Names of the types, for people."""


@dataclass(frozen=True)
class StarColumn:
    name: str
    type: pa.DataType
    meaning: str
    refers_to: str | None = None
    """The dimension whose key the column holds."""


@dataclass(frozen=True)
class StarTable:
    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[StarColumn, ...]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, c.type, nullable=c.name not in self.key) for c in self.columns])


_RUN = StarColumn("run_id", TEXT, "the run, equal for equal data, moment and scorers", "run_dim")
_AS_OF = StarColumn("as_of", TIME, "the moment that the row is for, UTC")
_FIRM = (
    StarColumn("region", TEXT, "sales region"),
    StarColumn("country", TEXT, "country"),
    StarColumn("industry", TEXT, "industry"),
    StarColumn("channel", TEXT, "where it came from"),
    StarColumn("employees", COUNT, "number of employees"),
)

RUN_DIM = StarTable(
    "run_dim",
    "a run; its row is written last, so a run whose row is here is whole",
    ("run_id",),
    (
        StarColumn("run_id", TEXT, "the run"),
        _AS_OF,
        StarColumn("source", TEXT, "the source that was scored"),
        StarColumn("source_fingerprint", TEXT, "sha256 of its contents"),
        StarColumn("previous_run_id", TEXT, "the run that changes are measured against; null for the first"),
    ),
)
MODEL_DIM = StarTable(
    "model_dim",
    "a scorer that was live",
    ("model_key",),
    (
        StarColumn("model_key", TEXT, "model@first digits of its sha256"),
        StarColumn("model", TEXT, "a model's name, such as churn-risk"),
        StarColumn("version", COUNT, "version in the registry, null for one that never was there"),
        StarColumn("scorer", TEXT, "sha256 of the scorer"),
        StarColumn("title", TEXT, "name for people"),
        StarColumn("entity", TEXT, "account or lead"),
        StarColumn("outcome", TEXT, "what is predicted, as a verb: left, converted"),
        StarColumn("horizon_days", COUNT, "within how many days of as_of"),
        StarColumn("base_rate", NUMBER, "share of the outcome in training, 0 to 1"),
        StarColumn("trained_from", TEXT, "first date that it learnt from"),
        StarColumn("trained_to", TEXT, "last date that it learnt from"),
    ),
)
ACCOUNT_DIM = StarTable(
    "account_dim",
    "an account as it was known at the run's as_of; the next run has its own row",
    ("account_key",),
    (
        StarColumn("account_key", TEXT, "run_id/account_id"),
        _RUN,
        _AS_OF,
        StarColumn("account_id", TEXT, "the account; the same in every run"),
        StarColumn("name", TEXT, "its name; only when the export was given the source"),
        StarColumn("standing", TEXT, "eligible, or why it gets no score"),
        StarColumn("arr", NUMBER, "yearly recurring revenue, null when the source has no contracts"),
        StarColumn("renewal_date", DATE, "end of the agreed term; a past one is overdue, null is not on record"),
        StarColumn("renewal_month", TEXT, "the same as YYYY-MM"),
        StarColumn("plan", TEXT, "plan"),
        StarColumn("paid_seats", COUNT, "seats paid for"),
        StarColumn("paid_contracts", COUNT, "contracts paid for"),
        StarColumn("tenure_days", COUNT, "days since the oldest paid contract began"),
        *_FIRM,
    ),
)
LEAD_DIM = StarTable(
    "lead_dim",
    "a lead as it was known at the run's as_of",
    ("lead_key",),
    (
        StarColumn("lead_key", TEXT, "run_id/lead_id"),
        _RUN,
        _AS_OF,
        StarColumn("lead_id", TEXT, "the lead; the same in every run"),
        StarColumn("standing", TEXT, "eligible, or why it gets no score"),
        StarColumn("open_deal_value", NUMBER, "value of its open deals, null when it has none"),
        StarColumn("lead_age_days", COUNT, "days since it came in"),
        StarColumn("department", TEXT, "the person's department"),
        StarColumn("seniority", TEXT, "the person's seniority"),
        *_FIRM,
    ),
)
SCORE_FACT = StarTable(
    "score_fact",
    "one entity, scored by one model in one run, or why it was not",
    ("score_key",),
    (
        StarColumn("score_key", TEXT, "run_id/model/entity_id"),
        _RUN,
        _AS_OF,
        StarColumn("model_key", TEXT, "the scorer", "model_dim"),
        StarColumn("model", TEXT, "a model's name, such as churn-risk"),
        StarColumn("version", COUNT, "version in the registry"),
        StarColumn("entity_id", TEXT, "the account or lead"),
        StarColumn("account_key", TEXT, "the account as of the run; null for a lead", "account_dim"),
        StarColumn("lead_key", TEXT, "the lead as of the run; null for an account", "lead_dim"),
        StarColumn("probability", NUMBER, "of the outcome within the horizon, 0 to 1"),
        StarColumn("score", COUNT, "percentile of the reference population, 1 to 100"),
        StarColumn("band", TEXT, "high, medium or low"),
        StarColumn("value", NUMBER, "what is at stake: ARR of an account, open deals of a lead"),
        StarColumn("value_at_risk", NUMBER, "probability x value, to the cent"),
        StarColumn("no_score", TEXT, "why there is no score; null when there is one"),
        StarColumn("previous_probability", NUMBER, "in the run before"),
        StarColumn("previous_score", COUNT, "in the run before"),
        StarColumn("previous_band", TEXT, "in the run before"),
        StarColumn(
            "change_by_signals",
            COUNT,
            "points of the score that data moved (learnt of since, or restated); these four sum to its change",
        ),
        StarColumn("change_by_time", COUNT, "points that the passing of time alone moved"),
        StarColumn("change_by_version", COUNT, "points that another version moved"),
        StarColumn("change_by_thresholds", COUNT, "points that another reference population moved"),
    ),
)
REASON_FACT = StarTable(
    "reason_fact",
    "a reason of a score, the strongest first",
    ("score_key", "rank"),
    (
        StarColumn("score_key", TEXT, "the score", "score_fact"),
        StarColumn("rank", COUNT, "1 is the strongest"),
        _RUN,
        _AS_OF,
        StarColumn("signal", TEXT, "name of the signal; of several that say the same, the strongest"),
        StarColumn("theme", TEXT, "usage, commercial, support ..."),
        StarColumn("value", NUMBER, "the signal's number; null for a text or when it was missing"),
        StarColumn("category", TEXT, "the signal's text"),
        StarColumn("effect", NUMBER, "on the log-odds, of all its members; above 0 raises the probability"),
        StarColumn("text", TEXT, "the reason as a sentence"),
    ),
)
REASON_MEMBER_FACT = StarTable(
    "reason_member_fact",
    "a signal that a reason speaks for; there are none of a reason whose signal stands alone",
    ("score_key", "rank", "member"),
    (
        StarColumn("score_key", TEXT, "the score", "score_fact"),
        StarColumn("rank", COUNT, "of the reason"),
        StarColumn("member", COUNT, "1 is the first; in this order the effects sum to the reason's"),
        _RUN,
        _AS_OF,
        StarColumn("signal", TEXT, "name of the signal"),
        StarColumn("effect", NUMBER, "its own, on the log-odds"),
    ),
)
OUTCOME_FACT = StarTable(
    "outcome_fact",
    "what came true of a score, from the day on which that is certain",
    ("score_key",),
    (
        StarColumn("score_key", TEXT, "the score", "score_fact"),
        _RUN,
        _AS_OF,
        StarColumn("model", TEXT, "a model's name, such as churn-risk"),
        StarColumn("entity_id", TEXT, "the account or lead"),
        StarColumn("happened", FLAG, "it happened in [as_of, as_of + horizon); null when that cannot be known"),
        StarColumn("happened_at", TIME, "when, null when it did not"),
        StarColumn("window_end", TIME, "as_of + horizon"),
    ),
)
ARR_AT_RISK = StarTable(
    "arr_at_risk",
    "revenue at risk by segment and month of renewal; every column of money adds up over any of them",
    ("run_id", "model", "renewal_month", "region", "plan", "industry"),
    (
        _RUN,
        _AS_OF,
        StarColumn("model", TEXT, "churn-risk"),
        StarColumn("renewal_month", TEXT, "YYYY-MM of the agreed term's end, or (not on record)"),
        StarColumn("region", TEXT, "sales region, or (not on record)"),
        StarColumn("plan", TEXT, "plan, or (not on record)"),
        StarColumn("industry", TEXT, "industry, or (not on record)"),
        StarColumn("accounts", COUNT, "accounts that pay"),
        StarColumn("arr", NUMBER, "their yearly recurring revenue: the next three together"),
        StarColumn("arr_scored", NUMBER, "of those with a score"),
        StarColumn("arr_leaving", NUMBER, "of those that gave notice: lost already, not in arr_at_risk"),
        StarColumn("arr_not_scored", NUMBER, "of those without a score for another reason"),
        StarColumn("arr_at_risk", NUMBER, "sum of probability x ARR of those with a score"),
        StarColumn("expected_to_leave", NUMBER, "sum of the probabilities: how many accounts"),
    ),
)

TABLES = (
    RUN_DIM,
    MODEL_DIM,
    ACCOUNT_DIM,
    LEAD_DIM,
    SCORE_FACT,
    REASON_FACT,
    REASON_MEMBER_FACT,
    OUTCOME_FACT,
    ARR_AT_RISK,
)
"""Ordered so that each table comes after those that it refers to."""


def described() -> str:
    """All tables as Markdown, as `serving/export/README.md` has them."""
    parts = []
    for table in TABLES:
        lines = [
            f"### {table.name}",
            "",
            f"{table.meaning[0].upper()}{table.meaning[1:]}. Key: {', '.join(table.key)}.",
            "",
        ]
        lines += ["| column | type | what |", "|---|---|---|"]
        for column in table.columns:
            leads = f" (-> {column.refers_to})" if column.refers_to else ""
            lines.append(f"| {column.name} | {WORDS[column.type]} | {column.meaning}{leads} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
