"""Links from the page of an account or a lead to its record in CRMs."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.page.entity_page import CrmLink, crm_links
from tests.kit.connection_files import GOOD, load
from tests.kit.inside import running_inside
from tests.kit.list_rows import put

URL = "https://app.hubspot.com/contacts/62515/record/0-1/{id}?a=b&c"
WITH_URL = GOOD.replace('table = "leads"', f'table = "leads"\nrecord_url = "{URL}"')


class TestCrmLinks:
    def test_the_crms_own_id_stands_in_the_template(self, tmp_path: Path) -> None:
        found = load(tmp_path, WITH_URL)
        assert crm_links(found, "lead", "L7") == [CrmLink("main", URL.replace("{id}", "7"))]

    def test_an_id_cannot_leave_its_place(self, tmp_path: Path) -> None:
        found = load(tmp_path, WITH_URL)
        assert crm_links(found, "lead", 'L7/../"?x#<') == [
            CrmLink("main", URL.replace("{id}", "7%2F..%2F%22%3Fx%23%3C"))
        ]

    @pytest.mark.parametrize(("entity", "entity_id"), [("account", "L7"), ("lead", "x7"), ("lead", "L")])
    def test_what_the_connection_does_not_know_has_no_link(self, tmp_path: Path, entity: str, entity_id: str) -> None:
        assert crm_links(load(tmp_path, WITH_URL), entity, entity_id) == []

    def test_without_a_template_there_is_no_link(self, tmp_path: Path) -> None:
        assert crm_links(load(tmp_path, GOOD), "lead", "L7") == []


def test_the_page_shows_the_link_also_while_the_webhooks_are_off(tmp_path: Path) -> None:
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "main.toml").write_text(WITH_URL)  # its secrets are not set
    with running_inside(tmp_path) as inside:
        put(inside.state.store, [{"entity_id": "L7", "model": "lead-fit"}])
        html = inside.client.get("/ui/lead/L7").text
    assert f'<a href="{URL.replace("{id}", "7").replace("&", "&amp;")}" rel="noreferrer">Open in main</a>' in html
