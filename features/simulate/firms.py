"""Invented companies: who they are, apart from what they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.kit.clock import DAY_US
from features.simulate import parameters as p
from features.simulate.base import Array, World, choose

REGIONS = ("north_america", "europe", "asia_pacific", "latin_america")
COUNTRIES = ("US", "CA", "GB", "DE", "FR", "NL", "SE", "ES", "JP", "AU", "IN", "SG", "BR", "MX")
COUNTRY_REGION = np.array([0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3])
COUNTRY_SHARE = np.array([0.34, 0.05, 0.12, 0.11, 0.07, 0.05, 0.04, 0.03, 0.03, 0.05, 0.04, 0.02, 0.03, 0.02])
FIRST_FOUNDED_DAY = 366
"""2 January 1971: a source may have no earlier time."""
FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com")


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


_FIRST = words(
    "Al Bel Cor Dal El Fen Gar Hol Is Jun Kel Lor Mar Nor Or Pel Quin Ros Sel Tor Ul Ver Wil Xan Yar Zel Bran Cam Drus "
    "Ever Fal Gren Hart Inver Jas Kor Lum Mir Nev Ost"
)
_SECOND = words(
    "a ado ala ana ari avo eda ela ena era eva ida ila ina iro iva oda ola ona ora ova uda ula una ura uva ane ele ine "
    "one ero alo ixo ato eto ito oto umo ymo aro"
)
_THIRD = words(
    "dyne fort gate grid labs lane line logic loop mark mesh mill nest path pine port scale sense shift soft spring stack "
    "tec tide trade vale ware wave works yard"
)


@dataclass(frozen=True)
class Firms:
    """One entry per company; codes into the vocabularies of this module."""

    industry: Array
    country: Array
    region: Array
    employees: Array
    revenue: Array
    founded_us: Array
    channel: Array
    partner: Array
    names: list[str]
    domains: list[str]

    @property
    def size(self) -> int:
        """Number of companies."""
        return len(self.industry)


PARTNERS = (
    "Northbridge Consulting",
    "Quayside Systems",
    "Ember & Field",
    "Portline Integrators",
    "Tallis Group",
    "Vireo Digital",
)


def found(world: World, count: int) -> Firms:
    """Invent `count` companies. Their channel is the one by which they come as customers without a lead."""
    rng = world.rng("firms")
    employees = np.clip(np.exp(rng.normal(np.log(120), 1.35, count)), 2, 80_000).astype(np.int64)
    country = choose(rng, p_shares(COUNTRY_SHARE), count)
    channel = choose(rng, p.CHANNEL_SHARE, count)
    age_days = np.clip(rng.gamma(2.0, 3_300.0, count), 200, 40_000).astype(np.int64)
    founded = np.maximum(world.start_day - age_days, FIRST_FOUNDED_DAY - world.moved_days)
    numbers = rng.permutation(count)
    names, domains = [], []
    for number in numbers.tolist():
        first, rest = number % len(_FIRST), number // len(_FIRST)
        second, rest = (rest + 7 * first) % len(_SECOND), rest // len(_SECOND)
        third, again = (rest + 11 * second + first) % len(_THIRD), rest // len(_THIRD)
        stem = f"{_FIRST[first]}{_SECOND[second]}{_THIRD[third]}"
        names.append(stem if not again else f"{stem} {again + 1}")
        domains.append(f"{stem.lower()}{again + 1 if again else ''}.example")
    return Firms(
        industry=choose(rng, p.INDUSTRY_SHARE, count),
        country=country,
        region=COUNTRY_REGION[country],
        employees=employees,
        revenue=np.round(employees * np.exp(rng.normal(np.log(160_000), 0.5, count)), -3),
        founded_us=founded * DAY_US,
        channel=channel,
        partner=np.where(channel == p.CHANNELS.index("partner"), rng.integers(0, len(PARTNERS), count), -1),
        names=names,
        domains=domains,
    )


def p_shares(shares: Array) -> Array:
    """Shares scaled so that they sum to 1."""
    return shares / shares.sum()


def vocabularies(firms: Firms) -> dict[str, pa.Array]:
    """Vocabularies of the columns that describe companies and people."""
    return {
        "industry": pa.array(p.INDUSTRIES),
        "region": pa.array(REGIONS),
        "country": pa.array(COUNTRIES),
        "channel": pa.array(p.CHANNELS),
        "campaign_kind": pa.array(CAMPAIGNS),
        "partner": pa.array(PARTNERS),
        "name": pa.array(firms.names, pa.string()),
        "company": pa.array(firms.names, pa.string()),
        "domain": pa.array(firms.domains, pa.string()),
        "department": pa.array(p.DEPARTMENTS),
        "seniority": pa.array(p.SENIORITIES),
        "title": pa.array([f"{rank} {place}" for rank in RANKS for place in PLACES]),
    }


CAMPAIGNS = ("content", "ad", "trade_show", "webinar", "cold_outreach")
RANKS = ("Chief Officer,", "VP", "Director of", "Manager,", "Specialist,")
PLACES = ("IT", "Operations", "Finance", "Sales", "Marketing", "People")


def campaign_of(rng: np.random.Generator, channel: Array) -> Array:
    """Kind of campaign by channel; -1 where none brought it."""
    by_channel = np.array(
        [
            # content ad trade_show webinar cold none
            [0.45, 0.00, 0.00, 0.15, 0.00, 0.40],
            [0.15, 0.80, 0.00, 0.05, 0.00, 0.00],
            [0.00, 0.00, 0.65, 0.35, 0.00, 0.00],
            [0.10, 0.00, 0.10, 0.20, 0.00, 0.60],
            [0.00, 0.00, 0.00, 0.00, 1.00, 0.00],
            [0.00, 0.00, 0.00, 0.00, 0.00, 1.00],
            [0.10, 0.05, 0.00, 0.00, 0.00, 0.85],
        ]
    )
    code = choose(rng, by_channel[channel], len(channel))
    return np.where(code == len(CAMPAIGNS), -1, code)


def hidden(rng: np.random.Generator, values: Array, share: float | Array) -> Array:
    """The values with a share of them missing (NaN, or -1 for codes)."""
    empty = np.nan if values.dtype.kind == "f" else -1
    return np.where(rng.random(len(values)) < share, empty, values)
