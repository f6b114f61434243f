"""A company of few signals whose CRM is `crm`, and what the worker takes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from features.panel.build import build_panel
from features.sources.source import Source
from serving.champion import Champions
from serving.connections.config import ConnectionConfig, Mapped
from serving.vendors.destination import Target, WriteBack
from serving.worker import score_dirty
from tests.conftest import MakeOnce
from tests.kit.nightly import some_signals
from tests.kit.quick_night import make_few_signals
from tests.kit.running import Home


@pytest.fixture(scope="module")
def home(make_once: MakeOnce) -> Home:
    folder = make_once("few-signals", make_few_signals)
    return Home(folder / "home", folder / "company")


@pytest.fixture
def few_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Panels of what the scorers read: a panel takes as long as it has columns."""

    def panel(source: Source, entity: Any, as_ofs: Any, **more: Any) -> pa.Table:
        return build_panel(source, entity, as_ofs, **{"only": [s.name for s in some_signals(entity)], **more})

    monkeypatch.setattr(score_dirty, "build_panel", panel)


@pytest.fixture
def config(home: Home, few_signals: None) -> ConnectionConfig:
    objects = {
        "contact": Mapped("leads", "lead_{id}", {"industry": "industry"}, {}),
        "company": Mapped("accounts", "acc_{id}", {"industry": "industry"}, {}),
    }
    back = WriteBack("dry-run", {"lead-fit": Target("contact", {"score": "fit"})}, minimum_change=1)
    return ConnectionConfig("crm", "hubspot", "https://x.example", "sample", home.company, objects, writeback=back)


@pytest.fixture
def champions(home: Home) -> Champions:
    made = Champions(home.path)
    made.refresh()
    return made
