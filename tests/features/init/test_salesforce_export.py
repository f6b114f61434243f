"""salesforce:export on a small company of our own: each fact once, at the time at which it was known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from features.init.write import Written, write_source
from features.kit.errors import BadInput
from features.readiness.left_out import left_out_lines
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.exports import Rows, Style, write_files
from tests.kit.init_rows import initialised, rows_of

A, B, C, D = (f"00100000000000{n}AAA" for n in range(4))
FILES: dict[str, Rows] = {
    "Account": [
        {"Id": A, "IsDeleted": "0", "MasterRecordId": None, "Name": "Müller & Söhne,\nHolding", "Type": "Customer - Direct", "BillingCountry": "Germany", "Website": "https://www.Mueller.example/kontakt?x=1", "Industry": "Finance; Banking", "AnnualRevenue": "1.0E7", "NumberOfEmployees": "1200", "CreatedDate": "2025-01-10T08:00:00.000+0000", "SystemModstamp": "2025-09-01T00:00:00.000+0000", "Partners__c": "B Partner;A Partner", "Segment__c": "Gold"},
        {"Id": B, "IsDeleted": "0", "MasterRecordId": None, "Name": "Bee", "Type": "Prospect", "BillingCountry": None, "Website": None, "Industry": None, "AnnualRevenue": None, "NumberOfEmployees": None, "CreatedDate": "2025-02-01T10:30:00.000+0000", "SystemModstamp": "2025-02-01T10:30:00.000+0000", "Partners__c": None, "Segment__c": "Tin"},
        {"Id": C, "IsDeleted": "1", "MasterRecordId": None, "Name": "Gone", "Type": "Prospect", "BillingCountry": None, "Website": None, "Industry": None, "AnnualRevenue": None, "NumberOfEmployees": None, "CreatedDate": "2025-02-02T00:00:00.000+0000", "SystemModstamp": "2025-05-01T00:00:00.000+0000", "Partners__c": None, "Segment__c": None},
        {"Id": D, "IsDeleted": "1", "MasterRecordId": A, "Name": "Mueller again", "Type": "Prospect", "BillingCountry": None, "Website": None, "Industry": None, "AnnualRevenue": None, "NumberOfEmployees": None, "CreatedDate": "2025-02-03T00:00:00.000+0000", "SystemModstamp": "2025-05-01T00:00:00.000+0000", "Partners__c": None, "Segment__c": None},
    ],
    "Contact": [
        {"Id": "003000000000001AAA", "IsDeleted": "0", "AccountId": A, "Email": "anna@mueller.example", "Title": "CFO", "CreatedDate": "2025-03-05T09:00:00.000+0000", "SystemModstamp": "2025-03-05T09:00:00.000+0000"},
    ],
    "Lead": [
        {"Id": "00Q000000000001AAA", "IsDeleted": "0", "Company": "Müller", "Title": "CFO", "Email": "anna@mueller.example", "LeadSource": "Trade Show", "Status": "Closed - Converted", "IsConverted": "1", "ConvertedDate": "2025-03-05", "ConvertedAccountId": A, "ConvertedContactId": "003000000000001AAA", "ConvertedOpportunityId": "006000000000001AAA", "CreatedDate": "2025-02-20T12:00:00.000+0000", "SystemModstamp": "2025-03-05T09:00:00.000+0000"},
        {"Id": "00Q000000000002AAA", "IsDeleted": "0", "Company": "Other", "Title": None, "Email": "o@other.example", "LeadSource": "Web", "Status": "Closed - Not Converted", "IsConverted": "0", "ConvertedDate": None, "ConvertedAccountId": None, "ConvertedContactId": None, "ConvertedOpportunityId": None, "CreatedDate": "2025-02-21T12:00:00.000+0000", "SystemModstamp": "2025-04-01T00:00:00.000+0000"},
        {"Id": "00Q000000000003AAA", "IsDeleted": "0", "Company": "Third", "Title": None, "Email": "t@third.example", "LeadSource": "Web", "Status": "Working - Contacted", "IsConverted": "0", "ConvertedDate": None, "ConvertedAccountId": None, "ConvertedContactId": None, "ConvertedOpportunityId": None, "CreatedDate": "2025-02-22T12:00:00.000+0000", "SystemModstamp": "2025-08-01T00:00:00.000+0000"},
    ],
    "Opportunity": [
        {"Id": "006000000000001AAA", "IsDeleted": "0", "AccountId": A, "StageName": "Closed Won", "Amount": "26000.5", "CloseDate": "2025-05-20", "Type": "New Business", "IsClosed": "1", "IsWon": "1", "CreatedDate": "2025-03-05T09:00:00.000+0000", "SystemModstamp": "2025-05-20T16:00:00.000+0000"},
        {"Id": "006000000000002AAA", "IsDeleted": "0", "AccountId": B, "StageName": "Closed Lost", "Amount": None, "CloseDate": "2025-06-01", "Type": "New Business", "IsClosed": "0", "IsWon": "0", "CreatedDate": "2025-04-05T09:00:00.000+0000", "SystemModstamp": "2025-07-20T16:00:00.000+0000"},
        {"Id": "006000000000003AAA", "IsDeleted": "0", "AccountId": B, "StageName": "Prospecting", "Amount": "1000", "CloseDate": "2026-06-01", "Type": "New Business", "IsClosed": "0", "IsWon": "0", "CreatedDate": "2025-04-06T09:00:00.000+0000", "SystemModstamp": "2025-07-21T16:00:00.000+0000"},
    ],
    "Case": [
        {"Id": "500000000000001AAA", "AccountId": A, "Status": "New", "Priority": "High", "IsEscalated": "1", "CreatedDate": "2025-06-01T04:00:00.000+0000", "ClosedDate": "2025-06-03T04:00:00.000+0000"},
        {"Id": "500000000000002AAA", "AccountId": None, "Status": "New", "Priority": "High", "IsEscalated": "0", "CreatedDate": "2025-06-01T04:00:00.000+0000", "ClosedDate": None},
    ],
    "Task": [
        {"Id": "00T000000000001AAA", "WhoId": "003000000000001AAA", "WhatId": None, "Subject": "Call", "Status": "Completed", "ActivityDate": "2025-02-25", "Description": 'one\n"two"; three', "CreatedDate": "2025-02-25T14:00:00.000+0000"},
        {"Id": "00T000000000002AAA", "WhoId": "003000000000001AAA", "WhatId": None, "Subject": "Demo; follow-up", "Status": "Completed", "ActivityDate": "2025-03-10", "Description": None, "CreatedDate": "2025-03-12T14:00:00.000+0000"},
        {"Id": "00T000000000003AAA", "WhoId": "00Q000000000003AAA", "WhatId": None, "Subject": "Call", "Status": "Not Started", "ActivityDate": "2025-09-25", "Description": None, "CreatedDate": "2025-02-25T14:00:00.000+0000"},
        {"Id": "00T000000000004AAA", "WhoId": None, "WhatId": "006000000000002AAA", "Subject": "Email: offer", "Status": "Completed", "ActivityDate": None, "Description": None, "CreatedDate": "2025-04-25T14:00:00.000+0000"},
    ],
}  # fmt: skip  # one record a line

LABELS = {"Id": "{} ID", "CreatedDate": "Created Date", "SystemModstamp": "Last Modified Date", "IsDeleted": "Deleted", "StageName": "Stage", "BillingCountry": "Billing Country", "AnnualRevenue": "Annual Revenue", "NumberOfEmployees": "Employees", "AccountId": "Account ID", "CloseDate": "Close Date", "IsWon": "Won", "IsClosed": "Closed", "LeadSource": "Lead Source", "IsConverted": "Converted", "ConvertedDate": "Converted Date", "Status": "Status"}  # fmt: skip


def opened(folder: Path, files: Mapping[str, Rows] | None = None, style: Style | None = None) -> Source:
    return initialised(folder, "salesforce:export", files or FILES, style)


class TestRows:
    def test_accounts_begin_with_what_stays_and_get_the_rest_with_the_export(self, tmp_path: Path) -> None:
        found = rows_of(opened(tmp_path), "accounts", "account_id", "event_time", "kind", "domain", "industry", "employees", "annual_revenue", "partner", "segment_c")  # fmt: skip
        assert found == [
            (A, "2025-01-10 08:00:00", None, "mueller.example", "Finance; Banking", 1200, 1e7, "B Partner", None),
            (A, "2025-09-01 00:00:01", "customer", "mueller.example", "Finance; Banking", 1200, 1e7, "B Partner", "Gold"),
            (B, "2025-02-01 10:30:00", None, None, None, None, None, None, None),
            (B, "2025-09-01 00:00:01", "prospect", None, None, None, None, None, "Tin"),
        ]  # fmt: skip

    def test_leads_are_open_first_and_converted_on_their_day(self, tmp_path: Path) -> None:
        found = rows_of(opened(tmp_path), "leads", "lead_id", "event_time", "status", "account_id", "channel")
        assert found == [
            ("00Q000000000001AAA", "2025-02-20 12:00:00", "open", None, "Trade Show"),
            ("00Q000000000001AAA", "2025-03-05 09:00:00", "converted", A, "Trade Show"),  # not after its last change
            ("00Q000000000002AAA", "2025-02-21 12:00:00", "open", None, "Web"),
            ("00Q000000000002AAA", "2025-04-01 00:00:00", "disqualified", None, "Web"),
            ("00Q000000000003AAA", "2025-02-22 12:00:00", "open", None, "Web"),
            ("00Q000000000003AAA", "2025-08-01 00:00:01", "working", None, "Web"),
        ]

    def test_deals_close_on_their_day_and_say_no_amount_before(self, tmp_path: Path) -> None:
        found = rows_of(
            opened(tmp_path), "opportunities", "opportunity_id", "event_time", "status", "lead_id", "amount"
        )
        assert found == [
            ("006000000000001AAA", "2025-03-05 09:00:00", "open", "00Q000000000001AAA", None),
            ("006000000000001AAA", "2025-05-20 16:00:00", "won", "00Q000000000001AAA", 26000.5),
            ("006000000000002AAA", "2025-04-05 09:00:00", "open", None, None),
            ("006000000000002AAA", "2025-06-02 00:00:00", "lost", None, None),  # IsClosed says no, its stage says lost
            ("006000000000003AAA", "2025-04-06 09:00:00", "open", None, None),
            ("006000000000003AAA", "2025-07-21 16:00:01", "open", None, 1000.0),
        ]

    def test_stage_history_dates_a_deal_where_it_is_there(self, tmp_path: Path) -> None:
        history: Rows = [
            {"OpportunityId": "006000000000001AAA", "StageName": "Prospecting", "Amount": "9", "CreatedDate": "2025-03-05T09:00:00.000+0000"},
            {"OpportunityId": "006000000000001AAA", "StageName": "Proposal", "Amount": "20000", "CreatedDate": "2025-04-01T09:00:00.000+0000"},
            {"OpportunityId": "006000000000001AAA", "StageName": "Closed Won", "Amount": "26000.5", "CreatedDate": "2025-05-18T11:00:00.000+0000"},
        ]  # fmt: skip
        source = opened(tmp_path, {**FILES, "OpportunityHistory": history})
        found = rows_of(source, "opportunities", "opportunity_id", "event_time", "stage", "status", "amount")
        assert [row[1:] for row in found if row[0] == "006000000000001AAA"] == [
            ("2025-03-05 09:00:00", "not known", "open", None),
            ("2025-03-05 09:00:01", "Prospecting", "open", 9.0),
            ("2025-04-01 09:00:00", "Proposal", "open", 20000.0),
            ("2025-05-18 11:00:00", "Closed Won", "won", 26000.5),
        ]
        assert next(row for row in found if row[3] == "lost")[1] == "2025-06-02 00:00:00"

    def test_touches_of_a_converted_lead_stay_its_own_up_to_then(self, tmp_path: Path) -> None:
        found = rows_of(
            opened(tmp_path), "touches", "event_time", "known_time", "kind", "lead_id", "contact_id", "account_id"
        )
        assert found == [
            ("2025-02-25 14:00:00", "2025-02-25 14:00:00", "call", "00Q000000000001AAA", "003000000000001AAA", A),
            ("2025-03-10 00:00:00", "2025-03-12 14:00:00", "meeting", None, "003000000000001AAA", A),
            ("2025-04-25 14:00:00", "2025-04-25 14:00:00", "email_sent", None, None, B),
        ]

    def test_a_case_is_closed_by_its_date_and_one_without_account_is_counted(self, tmp_path: Path) -> None:
        source = opened(tmp_path)
        assert rows_of(source, "tickets", "ticket_id", "event_time", "status", "escalated") == [
            ("500000000000001AAA", "2025-06-01 04:00:00", "open", None),
            ("500000000000001AAA", "2025-06-03 04:00:00", "closed", True),
        ]
        said = {(line.table, line.found): line.rows for line in left_out_lines(source)}
        assert said == {
            ("accounts", "left out: deleted in Salesforce"): 1,
            ("accounts", "left out: merged into another account"): 1,
            ("tickets", "left out: no account"): 1,
            ("touches", "left out: not done (yet)"): 1,
        }


def day_first(column: str, value: str) -> str:
    """2025-01-10T08:00:00.000+0000 as Europe writes it, in a report of somebody whose zone is UTC."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d:\d\d):00\.000\+0000)?", value)
    if found:
        return f"{int(found[3])}.{int(found[2])}.{found[1]}" + (f", {found[4]}" if found[4] else "")
    if column in ("AnnualRevenue", "Amount"):
        return f"{float(value):,.2f}".translate(str.maketrans(",.", ".,"))
    return {"0": "false", "1": "true"}.get(value, value) if column.startswith("Is") else value


def month_first(column: str, value: str) -> str:
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):00\.000\+0000)?", value)
    if found:
        hour = int(found[4] or 0)
        clock = f" {hour % 12 or 12}:{found[5]} {'PM' if hour >= 12 else 'AM'}" if found[4] else ""
        return f"{int(found[2])}/{int(found[3])}/{found[1]}{clock}"
    return f"USD {float(value):,.2f}" if column in ("AnnualRevenue", "Amount") else value


STYLES = {
    "UTF-16 the other way round": Style(encoding="utf-16-be", file=lambda name: f"{name}.txt"),
    "semicolons, decimal commas, days first": Style(delimiter=";", encoding="latin-1", value=day_first),
    "tabs, UTF-16, months first, currencies": Style(delimiter="\t", encoding="utf-16", value=month_first),
    "names as Data Loader gives them": Style(rename=str.upper, file=lambda name: f"bulkQuery_result_{name}_2025-09-02.csv"),
    "dated names, lower case": Style(rename=str.lower, file=lambda name: f"{name.lower()}-export-20250902.csv"),
    "names that say nothing": Style(file=lambda name: f"report{sum(map(ord, name))}.csv"),
    "a report with its footer": Style(footer='\r\n"Copyright © 2025 salesforce.com"\r\n"Confidential"\r\n'),
}  # fmt: skip


class TestStyles:
    """However the files are saved, the rows are the same."""

    @pytest.mark.parametrize("name", STYLES)
    def test_same_rows(self, name: str, tmp_path: Path) -> None:
        plain, styled = opened(tmp_path / "plain"), opened(tmp_path / "styled", None, STYLES[name])
        assert plain.tables == styled.tables
        for table in plain.tables:
            assert rows_of(plain, table) == rows_of(styled, table), table

    def test_signs_that_latin_1_has_not(self, tmp_path: Path) -> None:
        def euro(column: str, value: str) -> str:
            return value.replace("Holding", "„Holding“ – €")

        plain = opened(tmp_path / "plain", None, Style(value=euro))
        windows = opened(tmp_path / "windows", None, Style(encoding="cp1252", value=euro))
        assert rows_of(plain, "accounts") == rows_of(windows, "accounts")
        assert any("„Holding“ – €" in str(row) for row in rows_of(windows, "accounts", "name"))
        assert list(left_out_lines(plain)) == list(left_out_lines(windows))

    def test_labels_of_a_report(self, tmp_path: Path) -> None:
        files = {"Account": FILES["Account"], "Lead": FILES["Lead"]}
        renamed = {
            file: [{LABELS.get(c, c).format(file): v for c, v in row.items()} for row in records]
            for file, records in files.items()
        }
        plain, labelled = opened(tmp_path / "plain", files), opened(tmp_path / "labelled", renamed)
        for table in ("accounts", "leads"):
            assert rows_of(plain, table) == rows_of(labelled, table)

    def test_only_what_is_needed(self, tmp_path: Path) -> None:
        files: dict[str, Rows] = {"Lead": [{"Id": r["Id"], "CreatedDate": r["CreatedDate"]} for r in FILES["Lead"]]}
        assert opened(tmp_path, files).tables == ("leads",)


def write(tmp_path: Path, files: dict[str, Rows]) -> Written:
    data = write_files(tmp_path / "data", files)
    return write_source(tmp_path / "source", ["salesforce:export"], data, "UTC", None)


class TestBadInput:
    def test_a_file_without_a_needed_column_is_left_out_with_its_rows(self, tmp_path: Path) -> None:
        contacts = [{k: v for k, v in row.items() if k != "CreatedDate"} for row in FILES["Contact"]]
        written = write(tmp_path, {**FILES, "Contact": contacts})
        assert "contacts" not in written.tables
        assert any("Contact.csv: 1 rows without the column 'CreatedDate'" in note for note in written.notes)

    def test_two_encodings_in_one_file_are_refused_and_nothing_is_written(self, tmp_path: Path) -> None:
        data = write_files(tmp_path / "data", FILES)
        with (data / "Lead.csv").open("ab") as file:
            file.write('"00Q9","0","Größe"\r\n'.encode() + '"00Q8","0","Größe"\r\n'.encode("cp1252"))
        with pytest.raises(BadInput, match=r"Lead.csv: 1 rows that are not UTF-8 .*one encoding a file"):
            write_source(tmp_path / "source", ["salesforce:export"], data, "UTC", None)
        assert not (tmp_path / "source").exists()

    def test_another_system_is_named(self, tmp_path: Path) -> None:
        data = write_files(tmp_path / "data", {"kunden": [{"Nummer": 1, "Anlage": "2025-01-01"}]})
        with pytest.raises(BadInput, match="no file that gives accounts or leads"):
            write_source(tmp_path / "source", ["salesforce:export"], data, "UTC", None)

    def test_dates_that_may_be_either_are_a_decision(self, tmp_path: Path) -> None:
        lead = {"Id": "00Q1", "CreatedDate": "03/04/2025"}
        data = write_files(tmp_path / "data", {"Lead": [lead]})
        one = write_source(tmp_path / "one", ["salesforce:export"], data, "UTC", None)
        assert any("no value tells whether the day or the month comes first" in said for _, said in one.decisions)
        other = write_source(tmp_path / "other", ["salesforce:export"], data, "UTC", "day first")
        assert not any("no value tells" in said for _, said in other.decisions)
        assert rows_of(open_source(str(tmp_path / "one"), data), "leads", "event_time")[0] == ("2025-03-04 00:00:00",)
        assert rows_of(open_source(str(tmp_path / "other"), data), "leads", "event_time")[0] == ("2025-04-03 00:00:00",)
