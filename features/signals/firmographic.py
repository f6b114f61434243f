"""Firmographic signals: industry, region, size, domain, and the people whom we know at the company."""

from __future__ import annotations

from typing import Any, Literal

import narwhals as nw

from features.kit.clock import DAY_US
from features.signals.aggregations import State, Value, chosen, one, where
from features.signals.definition import AS_OF, Definition, define, flag, money, number, ratio
from features.signals.signal import Entity

FREE_MAIL = (
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "yahoo.co.uk",
    "yahoo.fr",
    "yahoo.de",
    "ymail.com",
    "hotmail.com",
    "hotmail.co.uk",
    "hotmail.fr",
    "outlook.com",
    "outlook.de",
    "live.com",
    "live.co.uk",
    "msn.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "gmx.com",
    "web.de",
    "t-online.de",
    "freenet.de",
    "mail.com",
    "mail.ru",
    "yandex.ru",
    "yandex.com",
    "qq.com",
    "163.com",
    "126.com",
    "sina.com",
    "naver.com",
    "proton.me",
    "protonmail.com",
    "zoho.com",
    "fastmail.com",
    "hey.com",
    "tutanota.com",
    "orange.fr",
    "wanadoo.fr",
    "free.fr",
    "laposte.net",
    "libero.it",
    "virgilio.it",
    "tin.it",
    "rediffmail.com",
    "comcast.net",
    "verizon.net",
    "att.net",
    "btinternet.com",
    "sky.com",
    "bigpond.com",
    "rocketmail.com",
    "uol.com.br",
    "bol.com.br",
    "terra.com.br",
)
"""Providers whose addresses say nothing about a company."""

YEAR_DAYS = 365.25
SENIOR = ["c_level", "vp", "director"]


def mail_domain(email: nw.Expr) -> nw.Expr:
    """What follows the last `@`, in lower case; null without one."""
    lowered = email.str.to_lowercase().str.strip_chars()
    return nw.when(lowered.str.contains("@", literal=True)).then(lowered.str.replace_all("^.*@", ""))


def _company(entity: Entity, table: str) -> list[Definition]:
    def fact(column: str) -> State:
        return State(column, table, (column,), value=lambda: nw.col(column), how="max")

    def category(column: str, label: str, some: str, like: str) -> Definition:
        measure = fact(column)
        return define(
            column,
            lambda get: get(measure),
            entity=entity,
            theme="firmographic",
            unit="category",
            label=label,
            some=some,
            like=like,
            missing=f"no {label} is recorded",
            unknown=f"The {label} is not known.",
        )

    employees, revenue = fact("employees"), fact("annual_revenue")
    founded = State("founded", table, ("founded_time",), value=lambda: nw.col("founded_us"), how="max")
    parts = ("industry", "region", "country", "employees", "annual_revenue")
    filled = State(
        "filled",
        table,
        parts,
        how="max",
        value=lambda: nw.sum_horizontal(*[1 - where(nw.col(part).is_null()) for part in parts]),
    )
    definitions = [
        category("industry", "industry", "The company's industry is {value}.", "in the industry {value}"),
        category("region", "region", "The company belongs to the region {value}.", "in the region {value}"),
        category("country", "country", "The company is in {value}.", "in {value}"),
        define(
            "employees",
            lambda get: number(get(employees)),
            entity=entity,
            theme="firmographic",
            unit="count",
            like="with {value} employees",
            label="employees",
            some="The company has {value} employees.",
            missing="the size is not recorded",
            unknown="The company's size is not known.",
        ),
        define(
            "annual_revenue",
            lambda get: money(get(revenue)),
            entity=entity,
            theme="firmographic",
            unit="money",
            like="that turn over {value} a year",
            label="annual revenue",
            some="The company turns over {value} a year.",
            missing="the revenue is not recorded",
            unknown="The company's revenue is not known.",
        ),
        define(
            "record_completeness",
            lambda get: ratio(get(filled), nw.lit(len(parts), nw.Int64)),
            entity=entity,
            theme="firmographic",
            unit="share",
            like="with {value} of the basic facts on record",
            label="share of company facts on record",
            some="{value} of the company's basic facts are on record.",
            missing="never: a record exists",
        ),
    ]
    if entity == "account":
        definitions.append(
            define(
                "company_age_years",
                lambda get: number((AS_OF - 1 - get(founded)) // DAY_US) / YEAR_DAYS,
                entity=entity,
                theme="firmographic",
                unit="years",
                like="founded {value} years ago",
                unknown="The company's age is not known.",
                label="years since the company was founded",
                by_clock=True,
                some="The company is {value} years old.",
                zero="The company was founded within the last day.",
                missing="the founding date is not recorded",
            )
        )
    return definitions


def _domain() -> list[Definition]:
    name = nw.col("domain").str.to_lowercase().str.strip_chars()
    business = State(
        "business_domain",
        "accounts",
        ("domain",),
        how="max",
        value=lambda: chosen(name.str.contains(".", literal=True), 1 - where(name.is_in(FREE_MAIL))),
    )
    return [
        define(
            "has_business_domain",
            lambda get: flag(get(business)),
            unit="flag",
            theme="firmographic",
            label="the company has a domain of its own",
            some="The company has a domain of its own.",
            zero="The company uses the domain of a free mail provider.",
            missing="no domain is recorded",
            unknown="The company's domain is not known.",
        )
    ]


def _company_committee() -> list[Definition]:
    """The buying committee of a lead's company, when the lead is linked to one."""

    def people(name: str, needs: tuple[str, ...], value: Value, how: Literal["sum", "distinct"] = "sum") -> State:
        return State(name, "contacts", ("account_id", *needs), value=value, how=how, via_account=True)

    known = people("known", (), one)
    senior = people("senior", ("seniority",), lambda: where(nw.col("seniority").is_in(SENIOR)))
    deciders = people("deciders", ("is_decision_maker",), lambda: where(nw.col("is_decision_maker")))
    departments = people("departments", ("department",), lambda: nw.col("department"), "distinct")
    words: dict[str, Any] = {
        "entity": "lead",
        "theme": "firmographic",
        "good": 1,
        "missing": "the lead is not linked to a company",
        "unknown": "The lead is linked to no company that we know.",
        "topic": "their_company",
    }
    return [
        define(
            "company_contacts_known",
            lambda get: number(get(known)),
            unit="count",
            like="where we know {value} people at the company",
            label="people known at the lead's company",
            some="We know {value} people at the company.",
            zero="We know nobody else at the company.",
            **words,
        ),
        define(
            "company_departments_known",
            lambda get: number(get(departments)),
            unit="count",
            like="where we know people in {value} departments",
            label="departments of the lead's company with a known contact",
            some="We know people in {value} departments of the company.",
            zero="We know no department of the company.",
            **words,
        ),
        define(
            "company_senior_contacts",
            lambda get: number(get(senior)),
            unit="count",
            like="where we know {value} directors or above",
            label="directors and above known at the lead's company",
            some="We know {value} directors or above at the company.",
            zero="We know no director or above at the company.",
            **words,
        ),
        define(
            "company_has_decision_maker",
            lambda get: flag(get(deciders)),
            unit="flag",
            label="a decision maker is known at the lead's company",
            some="We know a decision maker at the company.",
            zero="We know no decision maker at the company.",
            **words,
        ),
    ]


def _committee() -> list[Definition]:
    """The buying committee of an account: who we know there."""

    def people(name: str, needs: tuple[str, ...], condition: nw.Expr) -> State:
        return State(name, "contacts", ("account_id", *needs), value=lambda: where(condition))

    # A person is taken to be there unless known to have left: those who left are counted, the others never by negation.
    known = State("known", "contacts", ("account_id",))
    left = people("left", ("has_left",), nw.col("has_left"))
    deciders = people("deciders", ("is_decision_maker",), nw.col("is_decision_maker"))
    senior = people("senior", ("seniority",), nw.col("seniority").is_in(SENIOR))
    departments = State(
        "departments", "contacts", ("account_id", "department"), value=lambda: nw.col("department"), how="distinct"
    )
    missing = "never: without contacts it is 0"
    return [
        define(
            "contacts_known",
            lambda get: number(get(known)),
            unit="count",
            topic="contacts_known",
            like="where we know {value} people",
            label="people known at the company",
            some="We know {value} people at the company.",
            zero="We know nobody at the company.",
            good=1,
            theme="firmographic",
            missing=missing,
        ),
        define(
            "departments_known",
            lambda get: number(get(departments)),
            unit="count",
            topic="contacts_known",
            like="where we know people in {value} departments",
            label="departments with a known contact",
            some="We know people in {value} departments.",
            zero="We know nobody's department.",
            good=1,
            theme="firmographic",
            missing=missing,
        ),
        define(
            "senior_contacts",
            lambda get: number(get(senior)),
            unit="count",
            topic="senior_contacts",
            like="with {value} directors or above among the contacts",
            one="1 of the contacts is a director or above.",
            label="directors and above among the contacts",
            some="{value} of the contacts are directors or above.",
            zero="No contact is a director or above.",
            good=1,
            theme="firmographic",
            missing=missing,
        ),
        define(
            "has_decision_maker",
            lambda get: flag(get(deciders)),
            unit="flag",
            topic="senior_contacts",
            label="a decision maker is known",
            some="We know a decision maker.",
            zero="We know no decision maker.",
            good=1,
            theme="firmographic",
            missing=missing,
        ),
        define(
            "contacts_left_share",
            lambda get: ratio(get(left), get(known)),
            unit="share",
            theme="firmographic",
            like="where {value} of our contacts have left",
            unknown="No contact is known, so nobody can have left.",
            label="share of known contacts who left the company",
            some="{value} of our contacts have left the company.",
            zero="None of our contacts has left the company.",
            missing="no contact is known",
            good=-1,
        ),
    ]


def _person() -> list[Definition]:
    """The person behind a lead."""
    department = State("department", "leads", ("department",), value=lambda: nw.col("department"), how="max")
    seniority = State("seniority", "leads", ("seniority",), value=lambda: nw.col("seniority"), how="max")
    titled = State("titled", "leads", ("title",), value=lambda: 1 - where(nw.col("title").is_null()), how="max")
    free = State(
        "free_mail",
        "leads",
        ("email",),
        how="max",
        value=lambda: chosen(
            nw.col("email").str.contains("@", literal=True), where(mail_domain(nw.col("email")).is_in(FREE_MAIL))
        ),
    )
    return [
        define(
            "department",
            lambda get: get(department),
            entity="lead",
            theme="firmographic",
            unit="category",
            like="where the person works in {value}",
            label="department",
            some="The person works in {value}.",
            missing="no department is recorded",
            unknown="The department is not known.",
        ),
        define(
            "seniority",
            lambda get: get(seniority),
            entity="lead",
            theme="firmographic",
            unit="category",
            like="where the person's level is {value}",
            label="seniority",
            some="The person's level is {value}.",
            missing="no seniority is recorded",
            unknown="The seniority is not known.",
        ),
        define(
            "has_title",
            lambda get: flag(get(titled)),
            entity="lead",
            theme="firmographic",
            unit="flag",
            label="a job title is given",
            some="A job title is given.",
            zero="No job title is given.",
            missing="never: a record exists",
        ),
        define(
            "uses_free_mail",
            lambda get: flag(get(free)),
            entity="lead",
            theme="firmographic",
            unit="flag",
            unknown="No mail address is on record.",
            label="writes from a free mail provider",
            some="The address is one of a free mail provider.",
            zero="The address is a company's.",
            missing="no mail address is recorded",
            good=-1,
        ),
    ]


DEFINITIONS: tuple[Definition, ...] = (
    *_company("account", "accounts"),
    *_company("lead", "leads"),
    *_domain(),
    *_committee(),
    *_company_committee(),
    *_person(),
)
