"""Which company a lead belongs to, and since when we know that this company is a customer.

By account_id, else by mail domain when it is not a free mail provider's and belongs to exactly one account. A company is a
customer from the first won deal or paid contract on, also when that ended since. All of it as it was known: a row counts
from `visible_us` on, and a domain has one owner only until a second account with it becomes visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from features.outcomes.eligibility import COMPANY_BOUGHT
from features.panel.engines import Engine
from features.panel.visibility import KnownBefore
from features.signals.aggregations import State, Wanted, where
from features.signals.firmographic import FREE_MAIL, mail_domain
from features.sources.source import Source

Frame = nw.LazyFrame[Any]
_ACCOUNT = State("account", "leads", value=lambda: nw.col("account_id"), how="max")
_DOMAIN = State("mail_domain", "leads", value=lambda: mail_domain(nw.col("email")), how="max")


def want_company(get: Wanted) -> None:
    """Ask for the columns by which `customers` links a lead."""
    get(_ACCOUNT)
    get(_DOMAIN)


def customers(
    engine: Engine, source: Source, leads: Frame, ids: Sequence[str] | None, known: KnownBefore | None = None
) -> Frame:
    """entity_id, as_of_us and `COMPANY_BOUGHT` (above 0 when the company is known to have bought before, else 0) of leads as they
    were at each as_of (`want_company`); `ids` are those in it (None: all), `known` says what was known."""
    near = None if ids is None else ("account_id", companies_of(source, ids))
    account = nw.col("company_account")
    wide = leads.select(
        "entity_id", "as_of_us", company_account=nw.col("leads__account"), company_domain=nw.col("leads__mail_domain")
    )
    if source.has("accounts", "domain") and source.has("leads", "email"):
        if known is not None and known.is_of_each:
            wide = wide.with_columns(company_domain=_with_moment(nw.col("company_domain"), "entity_id"))
        wide = wide.join(_owners(engine, near, known), on="company_domain", how="left")
        is_known = where(nw.col("owner_from") < nw.col("as_of_us")) - where(nw.col("owner_until") < nw.col("as_of_us"))
        by_domain = nw.when(is_known > 0).then(nw.col("owner"))
        wide = wide.with_columns(company_account=nw.when(account.is_null()).then(by_domain).otherwise(account))
    bought = nw.lit(0, nw.Int64)
    for number, (rows, key) in enumerate(_purchases(engine, source, near, ids, known)):
        at, on = f"bought_{number}", "company_account" if key == "account_id" else "entity_id"
        first = rows.filter(~nw.col(key).is_null()).with_columns(**{on: nw.col(key), at: nw.col("visible_us")})
        first = engine.keep(first.group_by(on).agg(nw.col(at).min()))
        wide = wide.join(first, on=on, how="left")
        bought = bought + where(nw.col(at) < nw.col("as_of_us"))
    return wide.select("entity_id", "as_of_us", **{COMPANY_BOUGHT: bought})


def _purchases(
    engine: Engine,
    source: Source,
    near: tuple[str, Sequence[str]] | None,
    ids: Sequence[str] | None,
    known: KnownBefore | None,
) -> list[tuple[Frame, str]]:
    """Rows that tell of a purchase, and the column that says whose."""
    found: list[tuple[Frame, str]] = []
    if source.has("subscriptions"):
        rows = engine.table("subscriptions", ["account_id", "status", "mrr", "visible_us"], near, known=known)
        found.append((rows.filter(nw.col("status").is_in(["active", "notice"]) & (nw.col("mrr") > 0)), "account_id"))
    for key, only in (("account_id", near), ("lead_id", None if ids is None else ("lead_id", ids))):
        if source.has("opportunities", key):
            rows = engine.table("opportunities", [key, "status", "visible_us"], only, known=known)
            found.append((rows.filter(nw.col("status") == "won"), key))
    return found


def _with_moment(domain: nw.Expr, of: str) -> nw.Expr:
    """The domain with the moment of `id@moment` appended: its owner may differ from moment to moment."""
    return nw.concat_str(domain, nw.lit("@"), nw.col(of).str.replace_all("^.*@", ""))


def _owners(engine: Engine, near: tuple[str, Sequence[str]] | None, known: KnownBefore | None) -> Frame:
    """company_domain, owner, and when it was known to be the only account with it: after owner_from, until owner_until."""
    name = nw.col("domain").str.to_lowercase().str.strip_chars()
    rows = engine.table("accounts", ["account_id", "domain", "visible_us"], near, known=known)
    rows = rows.with_columns(company_domain=name).filter(~nw.col("company_domain").is_null())
    rows = rows.with_columns(is_free=where(name.is_in(FREE_MAIL)))
    if known is not None and known.is_of_each:
        rows = rows.with_columns(company_domain=_with_moment(nw.col("company_domain"), "account_id"))
    seen = rows.filter(nw.col("is_free") == 0).group_by("company_domain", "account_id").agg(nw.col("visible_us").min())
    seen = engine.keep(seen)
    first = engine.keep(seen.group_by("company_domain").agg(nw.col("visible_us").min().alias("owner_from")))
    both = seen.join(first, on="company_domain", how="inner").with_columns(one=nw.lit(1, nw.Int64))
    at_first = both.filter(nw.col("visible_us") == nw.col("owner_from"))
    at_first = at_first.group_by("company_domain").agg(
        nw.col("owner_from").min(), nw.col("account_id").max().alias("owner"), nw.col("one").sum()
    )
    more = both.filter(nw.col("visible_us") > nw.col("owner_from")).group_by("company_domain")
    later = more.agg(nw.col("visible_us").min().alias("owner_until"))
    alone = at_first.filter(nw.col("one") == 1).drop("one")
    return engine.keep(alone.join(later, on="company_domain", how="left"))


def companies_of(source: Source, leads: Sequence[str]) -> list[str]:
    """The accounts that may be these leads' companies: by account_id, and every account with their mail domain."""
    source.connection.register("wanted_leads", pa.table({"wanted": pa.array(list(leads), pa.string())}))
    mine = "lead_id IN (SELECT wanted FROM wanted_leads)"
    asked = []
    if source.has("leads", "account_id"):
        asked.append(f"SELECT account_id FROM leads WHERE {mine} AND account_id IS NOT NULL")
    if source.has("leads", "email") and source.has("accounts", "domain"):
        asked.append(
            f"SELECT account_id FROM accounts WHERE {_SITE} IN (SELECT {_MAIL} FROM leads WHERE {mine}) AND {_SITE} NOT IN {FREE_MAIL}"
        )
    return _ids(source, asked)


def possible_companies(source: Source) -> str:
    """A SELECT of lead_id and account_id: every account that is or may become a lead's company, as `companies_of` finds them."""
    found = "SELECT lead_id, account_id FROM leads WHERE account_id IS NOT NULL"
    if not source.has("leads", "email") or not source.has("accounts", "domain"):
        return found
    return (
        f"{found} UNION SELECT lead_id, a.account_id FROM leads JOIN (SELECT account_id, {_SITE} AS site FROM accounts) a "
        f"ON {_MAIL} = a.site WHERE a.site NOT IN {FREE_MAIL}"
    )


def leads_of(source: Source, accounts: Sequence[str]) -> list[str]:
    """The leads that may belong to these accounts: by account_id, or by mail domain."""
    source.connection.register("wanted_accounts", pa.table({"wanted": pa.array(list(accounts), pa.string())}))
    mine = "account_id IN (SELECT wanted FROM wanted_accounts)"
    asked = []
    if source.has("leads", "account_id"):
        asked.append(f"SELECT lead_id FROM leads WHERE {mine}")
    if source.has("leads", "email") and source.has("accounts", "domain"):
        asked.append(
            f"SELECT lead_id FROM leads WHERE {_MAIL} IN (SELECT {_SITE} FROM accounts WHERE {mine}) AND {_MAIL} NOT IN {FREE_MAIL}"
        )
    return _ids(source, asked)


def links(source: Source) -> str:
    """A SELECT of lead_id and account_id over all that was observed: for outcomes, which are read with hindsight."""
    leads, accounts = (f"(SELECT * FROM {table} WHERE {source.was_seen()})" for table in ("leads", "accounts"))
    named = f"SELECT DISTINCT lead_id, account_id FROM {leads} WHERE account_id IS NOT NULL"
    if not source.has("leads", "email") or not source.has("accounts", "domain"):
        return named
    owners = (
        f"SELECT {_SITE} AS site, min(account_id) AS account_id FROM {accounts} WHERE domain IS NOT NULL AND {_SITE} NOT IN {FREE_MAIL} "
        "GROUP BY 1 HAVING count(DISTINCT account_id) = 1"
    )
    return (
        f"{named} UNION SELECT DISTINCT lead_id, o.account_id FROM {leads} l JOIN ({owners}) o ON {_MAIL} = o.site "
        f"WHERE lead_id NOT IN (SELECT lead_id FROM {leads} WHERE account_id IS NOT NULL)"
    )


_SITE = "lower(trim(domain))"
_MAIL = "regexp_replace(lower(trim(email)), '^.*@', '')"


def _ids(source: Source, asked: Sequence[str]) -> list[str]:
    return [row[0] for row in source.query(" UNION ".join(asked) + " ORDER BY 1")] if asked else []
