"""Distinct members in windows, from words of bits."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from features.panel.build import build_panel
from features.sources.source import Source
from tests.kit.company import make_source
from tests.kit.panels import LEAP_DAY, edge_cases


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("edges"), edge_cases())


class TestLongPanels:
    def test_a_long_panel_equals_its_dates_one_by_one(self, company: Source) -> None:
        as_ofs = [LEAP_DAY + dt.timedelta(weeks=n) for n in (-3, 0, 1, 35, 36, 37, 38, 74, 75, 300)]
        names = ["active_users_7d", "active_users_28d", "active_users_84d", "stickiness_28d", "features_used_84d"]
        together = build_panel(company, "account", as_ofs, only=names)
        alone = pa.concat_tables([build_panel(company, "account", [a], only=names) for a in as_ofs])
        assert together.to_pydict() == alone.to_pydict()
