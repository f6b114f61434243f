"""The file of a connection: what may stand in it, and every fault at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

from serving.connections.file import ConnectionFile, read_file

GOOD = """
vendor = "hubspot"
public_url = "https://scores.example.com/"
secret_env = "CRM_SECRET"
source = "sample"

[objects.contact]
table = "leads"
columns = { industry = "industry" }
"""


def read(text: str) -> tuple[ConnectionFile | None, dict[str, str]]:
    """The file, and its faults: place to "found / rule"."""
    found, faults = read_file(Path("crm.toml"), tomllib.loads(text))
    return found, {each.where.removeprefix("crm.toml, "): f"{each.found} / {each.rule}" for each in faults}


class TestReadFile:
    def test_what_is_left_out_has_its_default(self) -> None:
        found, faults = read(GOOD)
        assert faults == {}
        assert found is not None
        assert (found.public_url, found.secret_env) == ("https://scores.example.com", ["CRM_SECRET"])
        assert (found.settle_seconds, found.portal_ids, found.older_signatures, found.data) == (1.0, [], False, None)
        assert (found.objects["contact"].key, found.objects["contact"].values) == ("{id}", {})
        assert found.writeback is None

    def test_faults_of_all_tables_are_said_at_once(self) -> None:
        bad = GOOD.replace('"sample"', "5").replace('"leads"', '"usage_events"') + "[writeback]\nmode = 'maybe'\n"
        found, faults = read(bad)
        assert found is None
        assert faults["key source"] == "5 / the name or the folder of a source"
        assert faults["[objects.contact], key table"].startswith("'usage_events' / one of ")
        assert faults["[writeback], key mode"] == "'maybe' / off, dry-run or on"
        assert faults["[writeback], table models"] == "is missing or empty / says which model is written where"

    def test_an_unknown_key_is_told_with_those_there_are(self) -> None:
        _, faults = read(GOOD.replace("source =", "sourc ="))
        assert faults["key sourc"].startswith("no such key / one of vendor, public_url, ")
        assert "key source" in faults

    def test_an_unknown_vendor_is_told_with_those_there_are(self) -> None:
        _, faults = read(GOOD.replace('"hubspot"', '"hubspott"'))
        assert faults == {
            "key vendor": "'hubspott' / one of dynamics, hubspot, pipedrive, salesforce, standard-webhooks"
        }

    def test_an_object_that_the_vendor_does_not_send(self) -> None:
        _, faults = read(GOOD.replace("objects.contact", "objects.invoice"))
        assert faults == {"[objects.invoice]": "no such object / one of contact, company, deal, ticket"}

    def test_a_column_that_the_table_does_not_have_or_that_names_its_row(self) -> None:
        for name in ("no_such_column", "lead_id", "event_time"):
            _, faults = read(GOOD.replace('"industry" }', f'"{name}" }}'))
            assert faults["[objects.contact], columns.industry"].startswith(f"'{name}' / a column of leads: ")

    def test_a_key_template_has_the_id_in_it_once(self) -> None:
        for key in ("lead", "{id}{id}"):
            _, faults = read(GOOD.replace('"leads"', f'"leads"\nkey = "{key}"'))
            assert faults == {"[objects.contact], key key": f"'{key}' / a text with {{id}} in it once"}

    def test_an_address_that_may_hold_a_password_is_not_repeated(self) -> None:
        for url in ("https://me:hunter2@", "https://x.example?key=hunter2"):
            _, faults = read(GOOD.replace("https://scores.example.com/", url))
            assert faults["key public_url"].startswith("is none / the address of this service")

    def test_one_name_of_a_secret_at_least(self) -> None:
        _, faults = read(GOOD.replace('secret_env = "CRM_SECRET"\n', ""))
        assert faults["key secret_envs"].startswith("NoneType / names of the environment variables")


class TestOutcomes:
    def test_values_of_properties_tell_outcomes(self) -> None:
        found, faults = read(GOOD + "[objects.contact.outcomes.lifecyclestage]\ncustomer = 'won'\n")
        assert faults == {}
        assert found is not None
        assert found.objects["contact"].outcomes == {"lifecyclestage": {"customer": "won"}}

    def test_a_word_that_no_row_of_the_table_tells(self) -> None:
        company = GOOD.replace("contact", "company").replace('"leads"', '"accounts"')
        _, faults = read(company + "[objects.company.outcomes.state]\ncustomer = 'won'\ngone = 5\n")
        assert list(faults.values()) == [
            "'won' / an outcome that a row of accounts tells: churned",
            "5 / an outcome that a row of accounts tells: churned",
        ]

    def test_it_is_a_table_of_tables(self) -> None:
        _, faults = read(GOOD + "[objects.contact.outcomes]\nlifecyclestage = 'won'\n")
        assert len(faults) == 1


class TestRecordUrl:
    def read(self, url: str) -> tuple[ConnectionFile | None, dict[str, str]]:
        return read(GOOD.replace('"leads"', f'"leads"\nrecord_url = {url}'))

    def test_it_is_kept_as_it_is(self) -> None:
        for url in (
            "https://app.hubspot.com/contacts/62515/record/0-1/{id}",
            "https://org.crm4.dynamics.com/main.aspx?etn=lead&id={id}#x",
            "https://crm.example.com:8443/#/records/{id}",
        ):
            found, faults = self.read(f'"{url}"')
            assert faults == {}
            assert found is not None
            assert found.objects["contact"].record_url == url

    def test_without_it_there_is_no_link(self) -> None:
        found, _ = read(GOOD)
        assert found is not None
        assert found.objects["contact"].record_url is None

    def test_only_https_with_the_id_once_behind_the_host_and_nothing_of_it_is_repeated(self) -> None:
        for url in (
            '"http://crm.example.com/{id}"',
            '"javascript:alert({id})"',
            '"https://crm.example.com/"',
            '"https://crm.example.com/{id}/{id}"',
            '"https://{id}.example.com/"',
            '"https://crm.example.com{id}"',
            '"https://me:hunter2@crm.example.com/{id}"',
            '"https://me@crm.example.com/{id}"',
            '"https://crm.example.com/a b/{id}"',
            '"https://crm.example.com/\\"{id}"',
            '"https://crm.example.com/\\u202e{id}"',
            '"https:///{id}"',
            '"//crm.example.com/{id}"',
            "5",
        ):
            found, faults = self.read(url)
            assert found is None, url
            rule = "an https:// address without a user in it, and {id} once after the host"
            assert faults == {"[objects.contact], key record_url": f"is none / {rule}"}
