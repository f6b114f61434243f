"""The tree is the map: the test of `serving/outbox/pacer.py` is `tests/serving/outbox/test_pacer.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

PACKAGES = ("features", "models", "training", "serving")
ELSEWHERE = {
    "features/init/files.py": "tests/features/init/test_command.py",
    "features/init/layouts.py": "tests/features/init/test_templates.py",
    "features/init/opening.py": "tests/features/init/test_hubspot_export.py",
    "features/init/render.py": "tests/features/init/test_templates.py",
    "features/init/template.py": "tests/features/init/test_templates.py",
    "features/init/times.py": "tests/features/init/test_templates.py",
    "features/init/values.py": "tests/features/init/test_templates.py",
    "features/init/write.py": "tests/features/init/test_command.py",
    "features/sources/currency_codes.py": "tests/features/sources/test_money.py",
    "serving/page/entity_change.py": "tests/serving/page/test_entity.py",
    "serving/page/entity_view.py": "tests/serving/page/test_entity.py",
    "serving/page/entity_words.py": "tests/serving/page/test_entity.py",
    "serving/page/model_charts.py": "tests/serving/page/test_model.py",
    "serving/page/portfolio_view.py": "tests/serving/page/test_portfolio.py",
    "serving/page/signal_rows.py": "tests/serving/page/test_model_signals.py",
    "serving/page/status_view.py": "tests/serving/page/test_status.py",
    "serving/batch/between.py": "tests/serving/score_change/test_service.py",
    "serving/dead_letters/command.py": "tests/serving/dead_letters/test_service.py",
    "serving/export/destination.py": "tests/serving/export/test_folder.py",
    "serving/scoring/held.py": "tests/serving/scoring/test_endpoints.py",
    "training/errors.py": "tests/training/test_promote.py",
}
"""Modules that are tested by another file, with that file."""


def modules(root: Path) -> list[Path]:
    """Of the four packages, relative to `root`: all but entry points and migrations."""
    found = (path.relative_to(root) for package in PACKAGES for path in (root / package).rglob("*.py"))
    return sorted(path for path in found if not path.name.startswith("__") and "migrations" not in path.parts)


def untested(root: Path) -> list[str]:
    return [str(path) for path in modules(root) if not (root / "tests" / path.parent / f"test_{path.name}").exists()]


def test_every_module_has_its_test_where_it_stands_or_is_named() -> None:
    assert untested(Path()) == sorted(ELSEWHERE)
    assert len(ELSEWHERE) <= 0.1 * len(modules(Path()))
    assert [test for test in ELSEWHERE.values() if not Path(test).exists()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_of_tests_is_of_a_room_that_is_gone(package: str) -> None:
    rooms = {path.parent.relative_to("tests") for path in Path("tests", package).rglob("test_*.py")}
    assert [str(room) for room in sorted(rooms) if not room.is_dir()] == []


def test_a_module_without_a_test_is_found(tmp_path: Path) -> None:
    """The sabotaged twin."""
    for name in ("serving/new/room.py", "serving/new/tested.py", "tests/serving/new/test_tested.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert untested(tmp_path) == ["serving/new/room.py"]
