"""The change of regime, and that nothing of the future is in the tables of the sample company."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from features.simulate import simulate
from features.simulate.company import tables_written
from features.simulate.usage import Levels
from tests.kit.simulated import CHANGE, SMALL, connect, one


class TestChangeOfRegime:
    def test_more_accounts_are_likely_to_leave_from_its_date_on(self, twins: tuple[Path, Path]) -> None:
        query = (
            f"SELECT avg(probability) FROM truth WHERE entity = 'account' AND horizon_days = 90 AND as_of >= '{CHANGE}'"
        )
        with_change, without = (one(connect(folder), query)[0] for folder in twins)
        assert with_change > 1.1 * without


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two companies of one seed, with a change of regime on CHANGE and without."""
    out, sizes = tmp_path_factory.mktemp("twins"), {**SMALL, "usage_events": 4_000}
    with pytest.MonkeyPatch.context() as patch:
        # The scale that makes the total of all usage looks at the whole history; here it is the same for both.
        patch.setattr(Levels, "expected", lambda self, week: 400.0)
        simulate(out / "with", **sizes, change=CHANGE)
        simulate(out / "without", **sizes, change=dt.date.max)
    return out / "with", out / "without"


def different_rows(twins: tuple[Path, Path], name: str, when: str) -> tuple[int, int]:
    """How many rows of a table only one of the two has, and how many there are."""
    path = "usage/*" if name == "usage" else name
    one_, other = (f"(SELECT * FROM read_parquet('{folder}/{path}.parquet') WHERE {when})" for folder in twins)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    query = (
        f"SELECT (SELECT count(*) FROM ({one_} EXCEPT ALL {other})) + (SELECT count(*) FROM ({other} EXCEPT ALL {one_})), "
        f"(SELECT count(*) FROM {one_})"
    )
    found = one(connection, query)
    return found[0], found[1]


class TestNoFutureInTheTables:
    """What happens after a date changes no row before it: so no row can know how things end."""

    @pytest.mark.parametrize("name", tables_written())
    def test_two_futures_have_one_past(self, twins: tuple[Path, Path], name: str) -> None:
        different, rows = different_rows(twins, name, f"event_time < '{CHANGE}'")
        assert rows > 0
        assert different == 0

    @pytest.mark.parametrize("name", [*tables_written(), "truth"])
    def test_the_futures_themselves_differ(self, twins: tuple[Path, Path], name: str) -> None:
        """The sabotaged twin: rows that may know of the change are not the same."""
        moment = "as_of" if name == "truth" else "event_time"
        assert different_rows(twins, name, f"{moment} >= '{CHANGE}'")[0] > 0

    def test_the_truth_before_is_the_same_where_no_horizon_reaches_the_change(self, twins: tuple[Path, Path]) -> None:
        different, rows = different_rows(twins, "truth", f"as_of + to_days(horizon_days::INT + 7) < '{CHANGE}'")
        assert rows > 0
        assert different == 0
