"""The audit on made tables of the field's kinds that were kept back while its words and limits were chosen."""

from __future__ import annotations

import pytest

from features.audit.table import audit_table
from tests.benchmarks.bench_audit import Counted, count
from tests.kit.audited_plans import HELD_OUT, SEEN
from tests.kit.audited_tables import draw

ROWS = 1_200


@pytest.fixture(scope="module", params=["half", pytest.param("all", marks=pytest.mark.slow)])
def counted(request: pytest.FixtureRequest) -> dict[str, Counted]:
    found = {}
    plans = list(enumerate((*HELD_OUT, SEEN[1]), start=101))
    for seed, plan in plans if request.param == "all" else plans[::2]:
        table = draw(plan, seed, ROWS)
        found[plan.name] = count(audit_table(table.frame, table.label, table.time), table)
    return found


def test_nine_of_ten_leaks_are_found(counted: dict[str, Counted]) -> None:
    found, missed = sum(c.found for c in counted.values()), [name for c in counted.values() for name in c.missed]
    assert found >= 0.9 * (found + len(missed)), missed


def test_at_most_one_false_alarm_at_high_in_a_table(counted: dict[str, Counted]) -> None:
    assert {name: c.false_high for name, c in counted.items() if len(c.false_high) > 1} == {}


def test_most_are_found_at_high(counted: dict[str, Counted]) -> None:
    assert sum(len(c.high) for c in counted.values()) >= 2 * sum(len(c.medium) for c in counted.values())
