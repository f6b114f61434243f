"""Cases of further vendors: every `case_VENDOR.py` in `tests/serving/vendors/` has a list `INBOUND`, `OUTBOUND` or both."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any


def cases(direction: str) -> list[Any]:
    modules = [
        import_module(f"tests.serving.vendors.{path.stem}")
        for path in sorted((Path(__file__).parents[1] / "serving" / "vendors").glob("case_*.py"))
    ]
    return [case for module in modules for case in getattr(module, direction, [])]
