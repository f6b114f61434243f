"""The list of who is suppressed: kept as one file of the home, and never lost by a damaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.kit.errors import UserMistake
from features.sources.loader import open_source
from features.sources.source import Source
from features.sources.suppression import FILE, Suppressed, hash_of_id
from tests.kit.company import at, make_source

DAY = {"event_time": at("2024-01-05")}


COMPANY: dict[str, list[dict[str, Any]]] = {
    "accounts": [{"account_id": name, "kind": "customer", **DAY} for name in ("a", "b", "c")],
    "contacts": [{"contact_id": f"{name}1", "account_id": name, **DAY} for name in ("a", "b")],
    "leads": [{"lead_id": "l1", "account_id": "a", **DAY}, {"lead_id": "l2", "account_id": None, **DAY}],
    "touches": [
        {"kind": "call", "account_id": "a", "lead_id": "l1", "contact_id": "a1", **DAY},
        {"kind": "call", "account_id": "a", **DAY},
        {"kind": "call", "lead_id": "l1", **DAY},
        {"kind": "call", "lead_id": "l2", **DAY},
        {"kind": "call", **DAY},
    ],
    "subscriptions": [
        {"subscription_id": f"s{name}", "account_id": name, "status": "active", "mrr": 10.0, **DAY} for name in ("a", "b")
    ],
    "usage": [{"account_id": name, "user_id": "u", **DAY} for name in ("a", "a", "b")],
    "lead_labels": [{"lead_id": "l1", "converted": True, **DAY}],
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def opened(tmp_path: Path, home: Path, everywhere: Any = (), here: Any = (), tables: Any = COMPANY) -> Source:
    """The company without those who are gone; `here` has what one source knows of."""

    def marks(found: Any) -> dict[str, dict[str, str | None]]:
        kinds: dict[str, dict[str, str | None]] = {}
        for kind, name, remains in found:
            kinds.setdefault(kind, {})[hash_of_id(kind, name)] = remains
        return kinds

    Suppressed(marks(everywhere), {"crm": marks(here)}).save(home)
    return make_source(tmp_path / "crm", tables)


def test_a_damaged_file_brings_nobody_back(tmp_path: Path, home: Path) -> None:
    opened(tmp_path, home, [("account", "a", None)])
    (home / FILE).write_text((home / FILE).read_text()[:-5])
    with pytest.raises(UserMistake, match="privacy publish"):
        open_source(str(tmp_path / "crm"), tmp_path / "crm")
