"""Files that people are shown: whole or old, of this schema or the one before, and each fault said of its own file alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.kit import atomic_files
from models import card_file
from models.card_file import Newer, Unreadable


class Card(msgspec.Struct):
    auc: float | None
    notes: list[str] = []


def read(path: Path) -> Card | None:
    return card_file.read(path, Card, "fit again")


class TestRead:
    def test_what_was_written_is_read(self, tmp_path: Path) -> None:
        card_file.write(tmp_path / "a" / "card.json", {"auc": 0.8, "notes": ["one"], "more": {"of": "it"}})
        assert read(tmp_path / "a" / "card.json") == Card(0.8, ["one"])

    def test_a_figure_without_a_value_is_null(self, tmp_path: Path) -> None:
        card_file.write(tmp_path / "card.json", {"auc": float("nan"), "notes": []})
        assert '"auc": null' in (tmp_path / "card.json").read_text()
        assert read(tmp_path / "card.json") == Card(None)

    def test_nothing_there(self, tmp_path: Path) -> None:
        assert read(tmp_path / "card.json") is None
        assert read(tmp_path / "no" / "card.json") is None

    @pytest.mark.parametrize("schema", [0, 1, None])
    def test_its_schema_and_the_one_before_are_read(self, tmp_path: Path, schema: int | None) -> None:
        """Version 0.2 wrote no number, and NaN."""
        text = '{"auc": NaN, "notes": []' + (f', "schema": {schema}' if schema is not None else "") + "}"
        (tmp_path / "card.json").write_text(text)
        assert read(tmp_path / "card.json") == Card(None)

    def test_a_newer_one_is_said_to_be_newer(self, tmp_path: Path) -> None:
        (tmp_path / "card.json").write_text('{"schema": 2, "anything": 1}')
        with pytest.raises(Newer, match=r"card\.json is of a newer version: it has schema 2, and 1 is the newest"):
            read(tmp_path / "card.json")

    def test_one_older_than_the_one_before_is_said_to_be_older(self, tmp_path: Path) -> None:
        (tmp_path / "card.json").write_text('{"schema": 1, "auc": 0.8}')
        with pytest.raises(Unreadable, match="of an older version: it has schema 1, and 2 is the oldest"):
            card_file.read(tmp_path / "card.json", Card, "fit again", schema=3)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "not complete JSON"),
            (b'{"schema": 1, "auc": 0.8, "no', "not complete JSON"),
            (b"\xff\xfe\x00", "not complete JSON"),
            (b'{"auc": "\\ud800"}', "not complete JSON"),
            (b"[" * 100_000, "not complete JSON"),
            (b"[1]", "not a JSON object"),
            (b'{"schema": "one"}', "no number as its schema"),
            (b'{"schema": true}', "no number as its schema"),
            (b'{"schema": 1, "auc": "high-4711"}', "not as this version writes it"),
            (b'{"schema": 1}', "not as this version writes it"),
        ],
        ids=str,
    )
    def test_a_broken_one_says_so_and_names_the_next_step(self, tmp_path: Path, content: bytes, said: str) -> None:
        (tmp_path / "card.json").write_bytes(content)
        with pytest.raises(Unreadable, match=said) as wrong:
            read(tmp_path / "card.json")
        assert "card.json" in str(wrong.value)
        assert "fit again" in str(wrong.value)
        assert "4711" not in str(wrong.value)

    def test_what_is_no_file_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "card.json")
        with pytest.raises(Unreadable, match="is not a file"):
            read(tmp_path / "card.json")
        (tmp_path / "folder.json").mkdir()
        with pytest.raises(Unreadable, match="is not a file"):
            read(tmp_path / "folder.json")

    def test_a_file_of_gigabytes_is_not_read(self, tmp_path: Path) -> None:
        with (tmp_path / "card.json").open("wb") as file:
            file.truncate(10**10)
        with pytest.raises(Unreadable, match="larger than"):
            read(tmp_path / "card.json")


class TestWrite:
    def test_a_reader_sees_the_old_one_or_the_new_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "card.json"
        card_file.write(path, {"auc": 0.8})

        def full(_old: Path, _new: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(atomic_files, "rename", full)
        with pytest.raises(OSError, match="No space"):
            card_file.write(path, {"auc": 0.9})
        assert read(path) == Card(0.8)
        assert [each.name for each in tmp_path.iterdir()] == ["card.json"]

    def test_the_same_content_gives_the_same_bytes(self) -> None:
        content: dict[str, Any] = {"b": [1.5, {"c": float("inf")}], "a": None}
        assert card_file.encoded(content) == card_file.encoded(dict(content))
        assert json.loads(card_file.encoded(content)) == {"schema": 1, "b": [1.5, {"c": None}], "a": None}


class TestNames:
    def test_a_folder_that_is_not_there_has_none(self, tmp_path: Path) -> None:
        assert card_file.names(tmp_path / "no") == []
        (tmp_path / "file").touch()
        assert card_file.names(tmp_path / "file") == []
        assert card_file.names(tmp_path) == ["file"]
