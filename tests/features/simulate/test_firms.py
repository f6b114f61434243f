"""Invented companies: names of their own, a country in its region, and values that are missing as often as asked."""

from __future__ import annotations

import numpy as np
import pytest

from features.kit.clock import DAY_US
from features.simulate import parameters as p
from features.simulate.base import Array
from features.simulate.firms import (
    CAMPAIGNS,
    COUNTRIES,
    COUNTRY_REGION,
    REGIONS,
    campaign_of,
    found,
    hidden,
    vocabularies,
)
from tests.kit.simulated import world_of

FIRMS = found(world_of(), 2_000)


class TestFound:
    def test_no_two_companies_share_a_name_or_a_domain_however_many(self) -> None:
        many = found(world_of(), 60_000)
        assert len(set(many.names)) == len(set(many.domains)) == 60_000

    def test_a_domain_is_that_of_the_name_and_of_nobody_real(self) -> None:
        for name, domain in zip(FIRMS.names, FIRMS.domains, strict=True):
            assert domain == f"{name.lower().replace(' ', '')}.example"

    def test_a_country_lies_in_its_region(self) -> None:
        where = {country: REGIONS[region] for country, region in zip(COUNTRIES, COUNTRY_REGION, strict=True)}
        assert (where["US"], where["DE"], where["JP"], where["BR"]) == (
            "north_america",
            "europe",
            "asia_pacific",
            "latin_america",
        )
        assert FIRMS.region.tolist() == COUNTRY_REGION[FIRMS.country].tolist()

    def test_nobody_is_founded_before_1971_or_after_the_window_begins(self) -> None:
        days = FIRMS.founded_us // DAY_US
        assert days.min() >= 366
        assert days.max() < world_of().start_day

    def test_only_the_channel_partner_has_a_partner(self) -> None:
        by_partner = p.CHANNELS.index("partner") == FIRMS.channel
        assert (FIRMS.partner[by_partner] >= 0).all()
        assert (FIRMS.partner[~by_partner] == -1).all()

    def test_every_code_has_a_word(self) -> None:
        words = vocabularies(FIRMS)
        for name in ("industry", "country", "region", "channel", "partner"):
            assert getattr(FIRMS, name).max() < len(words[name]), name


class TestCampaigns:
    @pytest.mark.parametrize(
        ("channel", "expected"),
        [
            ("outbound", {"cold_outreach"}),
            ("referral", {None}),
            ("event", {"trade_show", "webinar"}),
            ("paid", {"content", "ad", "webinar"}),
        ],
    )
    def test_each_channel_has_its_own(self, channel: str, expected: set[str | None]) -> None:
        codes = campaign_of(np.random.default_rng(0), np.full(2_000, p.CHANNELS.index(channel)))
        assert {None if code < 0 else CAMPAIGNS[code] for code in codes} == expected


class TestHidden:
    @pytest.mark.parametrize(("kind", "empty"), [(float, np.nan), (np.int64, -1)])
    def test_as_many_values_are_missing_as_asked(self, kind: type, empty: float) -> None:
        values: Array = np.arange(10_000).astype(kind)
        rng = np.random.default_rng(0)
        assert hidden(rng, values, 0.0).tolist() == values.tolist()
        np.testing.assert_array_equal(hidden(rng, values, 1.0), np.full(10_000, empty))
        gone = ~np.isin(hidden(rng, values, 0.25), values)
        assert gone.mean() == pytest.approx(0.25, abs=0.02)  # over four standard deviations

    def test_a_share_for_each_value(self) -> None:
        found = hidden(np.random.default_rng(0), np.array([5, 6]), np.array([1.0, 0.0]))
        assert found.tolist() == [-1, 6]
