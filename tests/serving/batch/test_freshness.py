"""How old a source may be: up to two days nothing is said, then it is told, past the shortest horizon it is refused."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from features.kit.clock import parse_as_of
from features.sources.source import Source
from serving.batch.freshness import check_age
from serving.errors import StaleInput
from tests.kit.company import at, make_source
from tests.kit.running import Home


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Usage of every day up to 2025-03-31."""
    rows: dict[str, list[dict[str, Any]]] = {
        "accounts": [{"account_id": "a", "event_time": at("2025-01-01")}],
        "usage": [{"account_id": "a", "event_time": at("2025-01-01") + dt.timedelta(days=n)} for n in range(90)],
    }
    return make_source(tmp_path_factory.mktemp("daily") / "source", rows)


class TestTheAgeOfASource:
    HORIZONS = {"churn-risk": 90, "lead-fit": 60}  # noqa: RUF012 - read only

    @pytest.mark.parametrize("as_of", ["2025-03-01", "2025-04-01", "2025-04-02"])
    def test_up_to_two_days_nothing_is_said(self, daily: Source, as_of: str) -> None:
        assert check_age(daily, parse_as_of(as_of), self.HORIZONS) is None

    @pytest.mark.parametrize(("as_of", "days"), [("2025-04-03", 3), ("2025-05-30", 60)])
    def test_from_three_days_on_it_warns(self, daily: Source, as_of: str, days: int) -> None:
        said = check_age(daily, parse_as_of(as_of), self.HORIZONS)
        assert said is not None
        assert f"is of 2025-03-31T00:00:00Z, {days} days before {as_of}" in said

    def test_past_the_shortest_horizon_it_refuses(self, daily: Source) -> None:
        with pytest.raises(
            StaleInput, match=r"61 days before .* past the horizon of lead-fit, 60 days.*--as-of 2025-04-01"
        ):
            check_age(daily, parse_as_of("2025-05-31"), self.HORIZONS)
        assert StaleInput.exit_code == 6

    def test_the_allowed_age_can_be_set(self, daily: Source) -> None:
        late = parse_as_of("2025-07-31")
        said = check_age(daily, late, self.HORIZONS, dt.timedelta(days=365))
        assert said is not None
        assert "122 days" in said
        with pytest.raises(StaleInput, match="36 hours are allowed"):
            check_age(daily, parse_as_of("2025-04-02"), self.HORIZONS, dt.timedelta(hours=36))


class TestTheCommand:
    def test_an_empty_run_and_an_old_source_are_reported(self, home: Home, tmp_path: Path) -> None:
        """Years before the company began there is nobody; months after its end its scores would be of a time that is over."""
        done = home.run("serving", "batch", *home.source, "--as-of", "2001-01-01", "--out", str(tmp_path))
        assert done.returncode == 0
        for model in ("churn-risk", "lead-fit"):
            assert f"warning: {model}: 0 rows" in done.stderr
        assert len(json.loads((tmp_path / "last_run.json").read_text())["warnings"]) == 2
        late = ["serving", "batch", *home.source, "--out", str(tmp_path), "--as-of"]
        refused = home.run(*late, "2026-06-01", env={"ACCOUNTSCORE_NOW": "2026-06-01"})
        assert refused.returncode == 6, refused.stderr
        assert "past the horizon of lead-fit" in refused.stderr
        refused = home.run(*late, "2026-01-02T06:00", env={"ACCOUNTSCORE_MAX_SOURCE_AGE_DAYS": "1"})
        assert refused.returncode == 6, refused.stderr
        assert "24 hours are allowed" in refused.stderr
