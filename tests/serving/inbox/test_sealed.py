"""What a CRM tells and nobody mapped is nowhere in clear, and is a signal where the source has a column of that name (issue 13)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from features.kit.clock import make_clock, to_us
from serving.connections.config import ConnectionConfig, Mapped
from serving.inbox import repository as letters
from serving.inbox import repository as module
from serving.inbox.sealed import PREFIX, Seal
from serving.store.tables import inbox
from serving.vendors.destination import Target, WriteBack
from serving.vendors.inbound import Event
from serving.worker import row_changes
from serving.worker.apply_inbox import apply_events
from serving.worker.source_cache import Sources
from tests.kit.company import at, make_source
from tests.kit.stores import new_store

NOW = "2026-01-02T06:00:00Z"


TOLD = {
    "industry": "software",
    "phone": "+49 30 98765",
    "grade": "platinum",
    "points": "12",
    "fit": "82",
    "status": f"{PREFIX}from a stranger",
}


def told(folder: Path, how: str = "sealed") -> tuple[dict[str, str | None], bytes, dict[str, object]]:
    """The inbox's values by property, the bytes of all of the store's files, and the row that is laid over the source."""
    rows = [{"lead_id": "7", "event_time": at("2025-01-01"), "status": "open", "grade": "gold"}]
    source = make_source(folder / "source", {"leads": rows})
    columns = {"industry": "industry", "status": "status"}
    back = WriteBack("on", {"lead-fit": Target("contact", {"score": "fit"})})
    conf = ConnectionConfig(
        "crm",
        "hubspot",
        "https://x.example",
        str(folder / "source"),
        folder / "source",
        {"contact": Mapped("leads", "{id}", columns, {})},
        settle_seconds=0.0,
        writeback=back,
    )
    store = new_store(folder)
    sources, clock = Sources(folder), make_clock(NOW)
    seal = Seal.of(folder) if how == "sealed" else None
    events = [
        Event((name,), "contact.propertyChange", "change", "contact", "7", to_us(clock()) - 10**9, name, value)
        for name, value in TOLD.items()
    ]
    with store.write() as connection:
        letters.put(connection, letters.events_of(conf, events, to_us(clock()), seal))
    kept = b"".join(path.read_bytes() for path in folder.glob("store.db*"))
    apply_events(store, sources, {"crm": conf}, clock)
    kept += b"".join(path.read_bytes() for path in folder.glob("store.db*"))
    with store.read() as connection:
        values = {row.property: row.value for row in connection.execute(select(inbox))}
        found = row_changes.load(connection, source, str(folder / "source"), [], ["7"], Seal.of(folder))
    store.close()
    assert found.set_aside == {}
    laid: dict[str, object] = {}
    for change in found.by_table["leads"]:
        laid |= change
    return {str(name): value for name, value in values.items()}, kept, laid


def test_nothing_that_nobody_mapped_is_in_clear_and_a_custom_column_gets_its_value(tmp_path: Path) -> None:
    values, kept, laid = told(tmp_path)
    assert b"98765" not in kept
    assert b"platinum" not in kept
    assert values["industry"] == "software"
    assert values["fit"] == "82"  # our own write, known again as an echo
    assert str(values["phone"]).startswith(PREFIX)
    assert laid["grade"] == "platinum"
    assert laid["industry"] == "software"
    assert laid["status"] == f"{PREFIX}from a stranger"
    assert "phone" not in laid


def test_without_a_seal_it_is_not_kept_and_without_the_guard_it_is_in_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, kept, laid = told(tmp_path / "unsealed", "none")
    assert (values["phone"], laid["grade"]) == (None, None)
    assert b"98765" not in kept
    monkeypatch.setattr(module, "is_mapped", lambda *_: True)
    assert b"98765" in told(tmp_path / "sabotaged")[1]


def test_another_pepper_opens_nothing() -> None:
    closed = Seal(b"one").close("a")
    assert Seal(b"one").open(closed) == "a"
    with pytest.raises(ValueError, match="another pepper"):
        Seal(b"two").open(closed)
