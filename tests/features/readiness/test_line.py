"""One line of the report, for people and for machines."""

from __future__ import annotations

from dataclasses import replace

from features.readiness.line import Line

LINE = Line(
    severity="weakens",
    table="usage",
    column="kind",
    rows=3,
    rule="it is there",
    found="no",
    needed="yes",
    what_to_do="do",
)


def test_a_rule_says_whose_it_is_and_what_it_keeps_them_from() -> None:
    assert LINE.said_rule == "it is there"
    assert replace(LINE, model="churn-risk").said_rule == "churn-risk: it is there"
    assert replace(LINE, model="churn-risk", gate=True).said_rule == "churn-risk, to go live: it is there"


def test_machines_get_every_field_with_the_rule_as_it_is_said() -> None:
    assert replace(LINE, model="churn-risk").as_dict() == {
        "severity": "weakens",
        "table": "usage",
        "column": "kind",
        "rows": 3,
        "rule": "churn-risk: it is there",
        "found": "no",
        "needed": "yes",
        "what_to_do": "do",
        "model": "churn-risk",
        "gate": False,
    }
