"""hubspot:export on a small portal of our own: each fact once, at the time at which it was known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.init.write import write_source
from features.kit.errors import BadInput
from features.sources.source import Source
from tests.kit.exports import Rows, Style, write_files
from tests.kit.init_rows import initialised, rows_of

COMPANIES, CONTACTS, DEALS, TICKETS = (
    f"hubspot-crm-exports-all-{word}" for word in ("companies", "contacts", "deals", "tickets")
)
FILES: dict[str, Rows] = {
    COMPANIES: [
        {"Record ID": "900", "Company name": "Ähre\nGmbH", "Company Domain Name": "aehre.example", "Industry": "BANKING", "Number of Employees": "4,700", "Annual Revenue": "6,382,000", "Country/Region": "Germany", "Create Date": "2025-01-10 20:28", "Lifecycle Stage": "Customer", "Original Traffic Source": "Organic Search;Direct Traffic", "Company owner": "Eva", "Plan": "Gold;Add-on"},
        {"Record ID": "901", "Company name": "Bee", "Company Domain Name": "https://WWW.bee.example/x", "Industry": None, "Number of Employees": "51-200", "Annual Revenue": None, "Country/Region": None, "Create Date": "2025-02-10 20:28", "Lifecycle Stage": "Lead", "Original Traffic Source": "Offline Sources", "Company owner": None, "Plan": "Add-on;Gold"},
    ],
    CONTACTS: [
        {"Record ID": "5100", "First Name": "A", "Email": "a@aehre.example", "Job Title": "CEO", "Lifecycle Stage": "Customer", "Original Traffic Source": "Paid Social", "Create Date": "2025-01-10 20:30", "Became a Marketing Qualified Lead Date": "2025-02-01 08:00", "Became a Customer Date": "2025-05-17 10:00", "Associated Company IDs": "900;901", "First Conversion Date": "2025-01-10 20:30"},
        {"Record ID": "5101", "First Name": "B", "Email": "b@bee.example", "Job Title": None, "Lifecycle Stage": "Lead", "Original Traffic Source": None, "Create Date": "2025-07-01 12:00", "Became a Marketing Qualified Lead Date": None, "Became a Customer Date": None, "Associated Company IDs": "901", "First Conversion Date": None},
    ],
    DEALS: [
        {"Record ID": "7700", "Deal Name": 'Deal; "big"', "Deal Stage": "Closed Won", "Pipeline": "Sales", "Amount": "81,323.50", "Close Date": "17/05/2025", "Create Date": "2025-03-01 09:00", "Associated Company IDs": "900;901", "Associated Contact IDs": "5100"},
        {"Record ID": "7701", "Deal Name": "Two", "Deal Stage": "Appointment Scheduled", "Pipeline": "Sales", "Amount": None, "Close Date": "01/12/2026", "Create Date": "2025-06-01 09:00", "Associated Company IDs": "901", "Associated Contact IDs": None},
        {"Record ID": "7702", "Deal Name": "Three", "Deal Stage": "Closed Lost", "Pipeline": "Sales", "Amount": "1,000", "Close Date": None, "Create Date": "2025-06-02 09:00", "Associated Company IDs": None, "Associated Contact IDs": None},
    ],
    TICKETS: [
        {"Ticket ID": "1", "Ticket name": "x", "Ticket status": "Closed", "Priority": "High", "Create date": "2025-06-01 10:00", "Close date": "2025-06-02 10:00", "Associated Company IDs": "900"},
        {"Ticket ID": "2", "Ticket name": "y", "Ticket status": "New", "Priority": None, "Create date": "2025-06-03 10:00", "Close date": None, "Associated Company IDs": None},
    ],
}  # fmt: skip  # one record a line


def opened(folder: Path, style: Style | None = None, zone: str = "UTC") -> Source:
    return initialised(folder, "hubspot:export", FILES, style, zone)


class TestRows:
    def test_companies(self, tmp_path: Path) -> None:
        found = rows_of(opened(tmp_path), "accounts", "account_id", "event_time", "kind", "domain", "employees", "annual_revenue", "channel", "owner", "plan_own")  # fmt: skip
        assert found == [
            ("900", "2025-01-10 20:28:00", None, "aehre.example", 4700, 6382000.0, "Organic Search", None, None),
            ("900", "2025-02-10 20:28:01", "customer", "aehre.example", 4700, 6382000.0, "Organic Search", "Eva", "Add-on;Gold"),
            ("901", "2025-02-10 20:28:00", None, "bee.example", 51, None, "Offline Sources", None, None),
            ("901", "2025-02-10 20:28:01", "prospect", "bee.example", 51, None, "Offline Sources", None, "Add-on;Gold"),
        ]  # fmt: skip

    def test_every_contact_is_a_lead_that_converts_on_its_date(self, tmp_path: Path) -> None:
        source = opened(tmp_path)
        assert rows_of(source, "leads", "lead_id", "event_time", "status", "account_id") == [
            ("5100", "2025-01-10 20:30:00", "open", "900"),
            ("5100", "2025-02-01 08:00:00", "qualified", "900"),
            ("5100", "2025-05-17 10:00:00", "converted", "900"),
            ("5100", "2025-07-01 12:00:01", "converted", "900"),
            ("5101", "2025-07-01 12:00:00", "open", "901"),
            ("5101", "2025-07-01 12:00:01", "open", "901"),
        ]
        assert rows_of(source, "touches", "lead_id", "event_time", "kind") == [
            ("5100", "2025-01-10 20:30:00", "form_fill")
        ]

    def test_deals_are_closed_once_their_day_is_over(self, tmp_path: Path) -> None:
        columns = ("opportunity_id", "event_time", "status", "stage", "amount", "account_id")
        assert rows_of(opened(tmp_path), "opportunities", *columns) == [
            ("7700", "2025-03-01 09:00:00", "open", "not known", None, "900"),
            ("7700", "2025-05-18 00:00:00", "won", "Closed Won", 81323.5, "900"),
            ("7701", "2025-06-01 09:00:00", "open", "not known", None, "901"),
            ("7701", "2025-06-02 09:00:01", "open", "Appointment Scheduled", None, "901"),
            ("7702", "2025-06-02 09:00:00", "open", "not known", None, None),
            ("7702", "2025-06-02 09:00:01", "lost", "Closed Lost", 1000.0, None),
        ]

    def test_tickets(self, tmp_path: Path) -> None:
        assert rows_of(opened(tmp_path), "tickets", "ticket_id", "event_time", "status") == [
            ("1", "2025-06-01 10:00:00", "open"),
            ("1", "2025-06-02 10:00:00", "closed"),
        ]

    def test_local_times_become_utc_in_winter_and_in_summer(self, tmp_path: Path) -> None:
        found = rows_of(opened(tmp_path, zone="Europe/Berlin"), "opportunities", "opportunity_id", "event_time")
        assert found[:2] == [("7700", "2025-03-01 08:00:00"), ("7700", "2025-05-17 22:00:00")]


def american(column: str, value: str) -> str:
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d)", value)
    if found:
        hour = int(found[4])
        return f"{found[2]}/{found[3]}/{found[1]} {hour % 12 or 12:02}:{found[5]} {'PM' if hour >= 12 else 'AM'}"
    found = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", value)
    return f"{found[2]}/{found[1]}/{found[3]}" if found else value


def german(column: str, value: str) -> str:
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d)", value)
    if found:
        return f"{found[3]}.{found[2]}.{found[1]} {found[4]}"
    if column in ("Amount", "Annual Revenue", "Number of Employees"):
        return value.translate(str.maketrans(",.", ".,"))
    return value.replace("/", ".") if re.fullmatch(r"\d\d/\d\d/\d{4}", value) else value


INTERNAL = {"Record ID": "hs_object_id", "Ticket ID": "hs_object_id", "Create Date": "createdate", "Create date": "createdate", "Company name": "name", "Company Domain Name": "domain", "Number of Employees": "numberofemployees", "Annual Revenue": "annualrevenue", "Country/Region": "country", "Lifecycle Stage": "lifecyclestage", "Original Traffic Source": "hs_analytics_source", "Job Title": "jobtitle", "Deal Stage": "dealstage", "Close Date": "closedate", "Close date": "closed_date", "Became a Customer Date": "hs_lifecyclestage_customer_date", "Became a Marketing Qualified Lead Date": "hs_lifecyclestage_marketingqualifiedlead_date", "First Conversion Date": "first_conversion_date", "Ticket status": "hs_pipeline_stage", "Priority": "hs_ticket_priority", "Company owner": "hubspot_owner_id"}  # fmt: skip

STYLES = {
    "American dates": Style(value=american),
    "German, semicolons, Latin-1": Style(delimiter=";", encoding="latin-1", value=german),
    "UTF-16 and tabs": Style(delimiter="\t", encoding="utf-16"),
    "dated names": Style(file=lambda n: f"{n}-2025-09-02-1.csv"),
    "internal names": Style(rename=lambda n: INTERNAL.get(n, n)),
    "names of views": Style(file=lambda n: f"hubspot-crm-exports-my-view-{len(n)}{n[-5]}.csv"),
}  # fmt: skip


class TestStyles:
    """However the files are saved, the rows are the same."""

    @pytest.mark.parametrize("name", STYLES)
    def test_same_rows(self, name: str, tmp_path: Path) -> None:
        plain, styled = opened(tmp_path / "plain"), opened(tmp_path / "styled", STYLES[name])
        assert plain.tables == styled.tables
        for table in plain.tables:
            assert rows_of(plain, table) == rows_of(styled, table), table


class TestFiles:
    def test_parts_are_read_together_and_of_two_exports_the_newest(self, tmp_path: Path) -> None:
        first, second = FILES[COMPANIES]
        newer = {**first, "Company name": "Renamed", "Create Date": "2025-01-10 20:28"}
        files: dict[str, Rows] = {
            f"{COMPANIES}-2025-08-01": [first, second],
            f"{COMPANIES}-2025-09-01-1": [newer],
            f"{COMPANIES}-2025-09-01-2": [{**second, "Record ID": "902"}],
        }
        source = initialised(tmp_path, "hubspot:export", files)
        assert sorted({row[0] for row in rows_of(source, "accounts", "account_id")}) == ["900", "902"]
        assert {row[1] for row in rows_of(source, "accounts", "account_id", "name") if row[0] == "900"} == {"Renamed"}

    def test_a_record_twice_in_a_file_counts_once(self, tmp_path: Path) -> None:
        files = {COMPANIES: [*FILES[COMPANIES], FILES[COMPANIES][0]]}
        assert initialised(tmp_path, "hubspot:export", files).rows("accounts") == 4

    def test_placeholders_and_words_for_dates_are_missing_and_told(self, tmp_path: Path) -> None:
        deals = [
            {**FILES[DEALS][0], "Close Date": "01/01/1900"},
            {**FILES[DEALS][1], "Close Date": "soon"},
            FILES[DEALS][2],
        ]
        data = write_files(tmp_path / "data", {**FILES, DEALS: deals})
        notes = write_source(tmp_path / "source", ["hubspot:export"], data, "UTC", None).notes
        assert any("column Close Date: 1 rows such as 'soon' are no time" in note for note in notes)
        assert any("column Close Date: 1 rows such as '01/01/1900' lie before 1971-01-01" in note for note in notes)

    def test_a_spreadsheet_is_named_with_a_step(self, tmp_path: Path) -> None:
        data = write_files(tmp_path / "data", FILES)
        (data / "hubspot-crm-exports-deals.xlsx").write_bytes(b"PK")
        notes = write_source(tmp_path / "source", ["hubspot:export"], data, "UTC", None).notes
        assert any("deals.xlsx: a .xlsx file" in note and "save each sheet as CSV UTF-8" in note for note in notes)

    def test_an_open_quote_is_refused(self, tmp_path: Path) -> None:
        data = write_files(tmp_path / "data", FILES)
        with (data / f"{DEALS}.csv").open("a") as file:
            file.write('"7709","never closed\n')
        with pytest.raises(BadInput, match=r"all-deals\.csv"):
            write_source(tmp_path / "source", ["hubspot:export"], data, "UTC", None)
        assert not (tmp_path / "source").exists()
