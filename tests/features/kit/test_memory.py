"""How much memory a process may take: the machine's, or that of its container when that is less."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit import memory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The machine's own memory, with limits of containers read from `tmp_path`."""
    monkeypatch.setattr(memory, "_CGROUPS", (tmp_path / "absent", tmp_path / "memory.max"))
    return memory.memory_bytes()


@pytest.mark.parametrize("text", ["max\n", "", str(2**63)])
def test_a_container_without_a_limit_has_the_machine(tmp_path: Path, machine: int, text: str) -> None:
    (tmp_path / "memory.max").write_text(text)
    assert memory.memory_bytes() == machine > 2**20


def test_the_limit_of_a_container_counts(tmp_path: Path, machine: int) -> None:
    (tmp_path / "memory.max").write_text("1048576\n")
    assert memory.memory_bytes() == 2**20


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (30_000_000, "30.0 MB"),
        (1_234_000_000_000, "1,234.0 GB"),
    ],
)
def test_bytes_for_people_in_the_largest_unit_that_fits(count: int, said: str) -> None:
    assert memory.gigabytes(count) == said
