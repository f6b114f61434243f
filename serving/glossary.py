"""What the properties of requests and answers mean: said once for each word, and laid over the OpenAPI file where a type does
not say it itself. A word that means something else in one schema stands there as `Schema.word`."""

from __future__ import annotations

from typing import Any

SHA = "sha256:9c1f4be0"
LOG_ODDS = "on the log-odds"
_OVERRIDE = {
    "band": "low", "reason": "The renewal is signed.", "author": "j.doe", "set_at": "2026-11-23T06:00:00Z", "until": None,
}  # fmt: skip
WORDS: dict[str, tuple[str, Any]] = {
    "model": ("churn-risk or lead-fit", "churn-risk"),
    "title": ("the model's name for people", "Churn risk"),
    "version": ("the model's version in the registry; null when it was put live without one", 7),
    "scorer": ("sha256 of the scorer", SHA),
    "horizon_days": ("days from as_of in which the outcome counts", 90),
    "entity": ("account or lead", "account"),
    "entity_id": ("the account or lead, as in the source; null when signals alone were given", "acme"),
    "index": ("position of the record in the request, from 0", 0),
    "as_of": ("the moment the score is for, UTC", "2026-11-23T06:00:00Z"),
    "set_at": ("when it was put, UTC", "2026-11-23T06:00:00Z"),
    "author": ("who says so", "j.doe"),
    "probability": ("calibrated, 0 to 1", 0.37),
    "score": ("percentile of the reference population, 1 to 100", 94),
    "band": ("name of the range of scores, see GET /v1/{model}", "high"),
    "base_rate": ("share of the outcome in the reference population, 0 to 1", 0.061),
    "amount": ("probability times what is at stake, currency units", 17760.0),
    "arr": ("yearly recurring revenue, currency units", 48000.0),
    "deal": ("expected size of the deal, currency units", 12000.0),
    "reasons": (
        "what moved the score most, strongest first, up and down; signals that say the same are one reason",
        [{
            "signal": "active_users_change_28d", "theme": "usage", "value": -0.42, "direction": "up", "effect": 0.81,
            "share": 0.31, "text": "12 users were active in the last 28 days, 21 in the 28 days before.",
            "members": {"active_users_change_28d": 0.62, "events_change_28d": 0.19},
        }],
    ),
    "signal": ("name of the signal, see GET /v1/{model}", "active_users_change_28d"),
    "theme": ("family of the signal", "usage"),
    "direction": ("whether it raises or lowers the probability", "up"),
    "effect": (f"{LOG_ODDS}; the effects of all reasons and the base sum to them", 0.81),
    "share": ("of the sum of the absolute effects of all reasons, 0 to 1", 0.31),
    "text": ("can be read out by a salesperson", "12 users were active in the last 28 days, 21 in the 28 days before."),
    "topic": ("signals of one topic say the same and share a reason", "usage_level"),
    "themes": (f"effects summed by theme, {LOG_ODDS}", {"usage": 0.97, "commercial": 0.41, "firmographic": 0.04}),
    "fit": (f"effects of the themes of fit (see GET /v1/{{model}}), {LOG_ODDS}", 0.04),
    "intent": (f"effects of all other themes, {LOG_ODDS}", 1.38),
    "base": (f"what the effects start from; base and themes sum to the score, {LOG_ODDS}", -2.73),
    "warnings": (
        "what to know before relying on it: categories not seen in training, numbers out of its range, signals that are absent or old",
        ["2 signals are not in the store and count as missing: satisfaction_84d, tickets_escalated_28d"],
    ),
    "overlaid": ("signals of the request that took the place of stored ones", ["active_users_28d"]),
    "no_score": (
        "why there is honestly no score, in the place of the numbers",
        {"code": "already_leaving", "detail": "The account gave notice of leaving before this moment: the outcome is known."},
    ),
    "NoScore.detail": ("why, in words", "The account gave notice of leaving before this moment: the outcome is known."),
    "value_at_risk": ("of an account whose revenue is known", {"amount": 17760.0, "currency": "USD", "arr": 48000.0}),
    "expected_value": ("of a lead whose deal size is known", {"amount": 4440.0, "currency": "USD", "deal": 12000.0}),
    "fit_intent": ("the themes in two", {"fit": 0.04, "intent": 1.38}),
    "override": (
        "what a person put beside the machine's score; reasons and themes never speak of it",
        _OVERRIDE,
    ),
    "results": ("one for each record that could be scored, in the order of the request", []),
    "errors": ("one for each record that could not", []),
    "code": ("stable name for programs", "bad_record"),
    "faults": (
        "each thing that is wrong with it",
        [{"where": "record 0, signal mrr", "found": "a text", "rule": "a number (money) or null", "next_step": "send it without quotes"}],
    ),
    "rule": ("what would be right", "a number (money) or null"),
    "next_step": ("what to do", "send it without quotes"),
    "trained_from": ("first as_of of its training, UTC date", "2024-06-01"),
    "trained_to": ("last as_of of its training, UTC date", "2025-12-31"),
    "source": ("where its data came from", "sample"),
    "bands": ("the ranges of scores, the highest first", [{"name": "high", "lowest_score": 90}]),
    "metrics": ("how good it was on data that it had not seen, by name", {"roc_auc": 0.82, "brier": 0.051}),
    "name": ("the signal's name", "active_users_28d"),
    "BandShown.name": ("the band's name", "high"),
    "unit": ("what its number counts", "count"),
    "label": ("what it is called for people", "active users in the last 28 days"),
    "by_clock": ("whether it moves by the passing of time alone", False),
    "missing_share": ("share of those without it in training, 0 to 1", 0.12),
    "vocabulary": ("words seen in training; null for a number", ["software", "retail"]),
    "low": ("smallest number seen in training; null for a category", 0.0),
    "high": ("largest number seen in training; null for a category", 480.0),
    "ModelAnswer.signals": ("what the live version reads", []),
    "ScoresAnswer.scores": ("decision records, the newest as_of first", []),
    "ScoresAnswer.overrides": ("what people put beside the present score, by model", {"churn-risk": _OVERRIDE}),
    "ChangeAnswer.before": ("the earlier score", None),
    "ChangeAnswer.after": ("the later score", None),
    "ChangeAnswer.parts": (f"the difference {LOG_ODDS}, split", {"data": 0.61, "time": 0.12, "version": 0.0}),
    "ChangeAnswer.score_parts": (
        "the difference in percentiles, split", {"data": 9, "time": 2, "version": 0, "thresholds": 0},
    ),
    "ChangeAnswer.score": ("percentile after minus before", 11),
    "ChangeAnswer.bands": (
        "from the old band to the new one, step by step", [{"after": "start", "band": "medium"}, {"after": "data", "band": "high"}],
    ),
    "ChangeAnswer.signals": ("each signal's share of a part, the strongest first", []),
    "ChangeAnswer.log_odds": ("after minus before", 0.73),
    "not_read": ("signals that the new version does not read; the old one was asked with their old values", ["satisfaction_84d"]),
    "log_odds": ("of the probability", -0.53),
    "Parts.data": ("of what was learnt since, or restated", 0.61),
    "Parts.time": ("of what the rows known before give at the new moment", 0.12),
    "Parts.unsplit": ("of data and time together, where their split was not recorded", 0.73),
    "Parts.version": ("of the new version on the new inputs; 0 for the same version", 0.0),
    "ScoreParts.data": ("of what was learnt since, or restated", 9),
    "ScoreParts.time": ("of what the rows known before give at the new moment", 2),
    "ScoreParts.unsplit": ("of data and time together, where their split was not recorded", 11),
    "ScoreParts.version": ("of the new version, by the old one's reference population", 0),
    "ScoreParts.thresholds": ("of the new version's reference population and bands", 0),
    "BandStep.after": ("the step", "data"),
    "part": ("what moved it: what was learnt since, or the passing of time", "data"),
    "before": ("its value at the earlier score", 21),
    "after": ("its value at the later score", 12),
    "value": ("of the signal: a number in its unit, a category, or null (missing)", -0.42),
    "RecordedScore.value": ("yearly revenue or deal size, currency units", 48000.0),
    "Record.value": (
        "yearly revenue of the account or expected deal size of the lead, in currency units; taken from the store when it is not given",
        48000.0,
    ),
    "records": ("what to score, 1 to 1,000", [{"entity_id": "acme"}]),
    "until": ("UTC date or time, ISO 8601, after which it no longer holds; null: until it is withdrawn", "2026-12-31"),
    "models": ("how each model stands, where none serves", {"churn-risk": {"serves": False, "refused": "..."}}),
}  # fmt: skip


def describe(schemas: dict[str, Any]) -> None:
    """Give every property that lacks them its meaning and an example."""
    for schema, content in schemas.items():
        for word, described in content.get("properties", {}).items():
            meaning, example = WORDS.get(f"{schema}.{word}") or WORDS.get(word) or (None, None)
            if meaning is not None:
                described.setdefault("description", meaning)
            if example not in (None, [], {}):
                described.setdefault("examples", [example])
