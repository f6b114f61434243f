"""Every template: it is whole, it is SQL, and it binds and casts on rows as they really come."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pytest

from features.init.layouts import labels, layout_of
from features.init.render import render
from features.init.template import decisions
from features.init.write import write_source
from features.readiness.left_out import NAME
from features.sources.loader import open_source
from features.sources.schema import TABLES

TRIED = [label for label in labels() if layout_of(label).tried_on]


def real_rows(label: str, folder_of_objects: Path) -> Path:
    """The folder of a layout's real rows; the objects of one file that holds many become a file each."""
    systems = os.environ.get("ACCOUNTSCORE_SYSTEMS")
    if not systems:
        pytest.skip("ACCOUNTSCORE_SYSTEMS is not set: rows as systems really give them are needed")
    folder = layout_of(label).tried_on
    assert folder is not None
    place = Path(systems) / folder
    if place.is_dir():
        return place
    folder_of_objects.mkdir()
    for name, value in json.loads(place.read_text())["resources"].items():
        (folder_of_objects / f"{name}.json").write_text(json.dumps(value))
    return folder_of_objects


@pytest.mark.parametrize("label", labels())
class TestTemplate:
    def test_it_fills_canonical_tables_and_says_what_it_is(self, label: str) -> None:
        layout = layout_of(label)
        assert set(layout.tables) <= set(TABLES)
        assert layout.title
        assert layout.documents.startswith("https://")
        assert "accounts" in layout.tables or "leads" in layout.tables

    def test_without_data_every_select_is_sql_and_names_its_decisions(self, label: str) -> None:
        rendered = render(layout_of(label), None)
        assert set(rendered.tables) == set(layout_of(label).tables)
        connection = duckdb.connect()
        for table, text in rendered.tables.items():
            parsed = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
            assert '"error":false' in parsed, (table, parsed[:300])
            assert "{{" not in text
            assert "--!" not in text
            assert "--?" not in text
        assert sum(len(decisions(text)) for text in rendered.tables.values()) >= len(rendered.tables)


@pytest.mark.parametrize("label", TRIED)
class TestRealRows:
    def test_it_binds_and_casts(self, label: str, tmp_path: Path) -> None:
        data = real_rows(label, tmp_path / "objects")
        written = write_source(tmp_path / "source", [label], data, "UTC", None)
        opened = open_source(str(tmp_path / "source"), data, keep_going=True)
        assert opened.faults == ()
        assert set(opened.tables) == set(written.tables)
        # Real rows may all be deleted ones. What is in no table is counted, so nothing vanishes.
        if (opened.folder / NAME).is_file():
            text = (opened.folder / NAME).read_text().replace("${data}", str(data.resolve()))
            assert all(rows >= 0 for *_, rows in opened.query(text))


class TestLayouts:
    def test_one_without_real_rows_says_so(self, tmp_path: Path) -> None:
        untried = [label for label in labels() if label not in TRIED]
        for label in untried:
            written = write_source(tmp_path / label.replace(":", "-"), [label], None, "UTC", None)
            assert written.untried == [label]
            assert all("Not tried on real rows" in text for text in written.tables.values())
