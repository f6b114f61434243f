"""The page on connecting and adding a CRM is true: its examples load, and what it names is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from features.kit.errors import BadInput
from serving.connections.config import load_connections
from serving.vendors.registry import VENDORS, make_sender

PAGE = Path("serving/vendors/README.md")


KEY = f"user:{'k' * 36}"
"""Good for every kind of secret."""


def examples() -> dict[str, str]:
    """The connections that the page shows, by vendor."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return {str(tomllib.loads(block)["vendor"]): block for block in blocks}


class TestThePage:
    def test_its_connections_are_good_and_every_vendor_with_a_key_has_one(self, tmp_path: Path) -> None:
        names: set[str] = set()
        for vendor, block in examples().items():
            (tmp_path / f"{vendor}.toml").write_text(block)
            names |= set(re.findall(r'"([A-Z][A-Z0-9_]+)"', block))
        found = load_connections(tmp_path, dict.fromkeys(names, KEY), tokens_needed=True)
        assert {config.vendor for config in found.values()} >= {
            name for name, vendor in VENDORS.items() if vendor.inbound and vendor.inbound.organization
        }

    def test_they_can_be_switched_on(self, tmp_path: Path) -> None:
        both = {vendor: block for vendor, block in examples().items() if VENDORS[vendor].sender}
        assert both
        for vendor, block in both.items():
            folder = tmp_path / vendor
            folder.mkdir()
            (folder / f"{vendor}.toml").write_text(block.replace('"dry-run"', '"on"'))
            names = re.findall(r'"([A-Z][A-Z0-9_]+)"', block)
            config = load_connections(folder, dict.fromkeys(names, KEY), tokens_needed=True)[vendor]
            sender = make_sender(vendor, config.writeback)
            sender.close()
            assert config.writeback.token == KEY
            assert config.writeback.token_url.startswith("https://")

    def test_an_organisation_is_asked_for(self, tmp_path: Path) -> None:
        for vendor, block in examples().items():
            for bad in ("", "organizations = []\n", 'organizations = ["x"]\n', "organizations = 5\n"):
                (tmp_path / f"{vendor}.toml").write_text(re.sub(r"organizations = .*\n", bad, block))
                with pytest.raises(BadInput, match="key organizations"):
                    load_connections(tmp_path, secrets_needed=False)

    def test_organizations_are_a_fault_for_a_vendor_that_signs(self, tmp_path: Path) -> None:
        (tmp_path / "crm.toml").write_text(
            'vendor = "hubspot"\npublic_url = "https://x.example"\nsecret_env = "S"\nsource = "sample"\norganizations = ["1"]\n'
            '[objects.contact]\ntable = "leads"\n'
        )
        with pytest.raises(BadInput, match="only for vendors that sign nothing"):
            load_connections(tmp_path, secrets_needed=False)

    def test_the_files_and_names_that_it_tells_of_are_there(self) -> None:
        text = PAGE.read_text(encoding="utf-8")
        for name in re.findall(
            r"`([a-z_/]+\.py)`",
            text.replace("tests/serving/vendors/case_acme.py", "tests/kit/cases.py").replace("acme", "hubspot"),
        ):
            assert Path(name).exists() or (PAGE.parent / name).exists(), name
        for name in (
            "Inbound",
            "Outbound",
            "VENDORS",
            "Case",
            "OutboundCase",
            "CallFailed",
            "CallRefused",
            "WriteResult",
        ):
            assert f"`{name}`" in text
            files = [
                *Path("serving/vendors").rglob("*.py"),
                *Path("serving/connections").glob("*.py"),
                Path("tests/kit/cases.py"),
                Path("tests/kit/outbound_case.py"),
            ]
            assert any(re.search(rf"(class |def |^){name}\b", f.read_text(), re.MULTILINE) for f in files), name
