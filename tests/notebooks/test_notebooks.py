"""The notebooks run top to bottom on a small company, are committed without outputs, and hold no logic of their own."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from features.simulate import simulate

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SAID = {
    "the_company_as_of_today": ["as of 2025-12-31", "inbound_touches_28d", "image/png"],
    "why_this_model": ["log loss", "chosen:", "better", "calibration", "image/png"],
    "what_would_we_have_caught": ["caught_by_rule", "share_caught", "image/png"],
}
"""Notebook -> what its outputs hold."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    simulate(folder / "sample", accounts=150, leads=1300, days=730, end=dt.date(2026, 1, 1), seed=7, usage_events=2_000)
    return folder


@pytest.fixture
def small(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the kernels: the small company, the quicker model, few trials."""
    values = {
        "ACCOUNTSCORE_HOME": str(home),
        "MODEL": "lead-fit",
        "TRIALS": "1",
        "MONTHS": "2",
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def run(notebook: nbformat.NotebookNode) -> str:
    """All outputs as one text."""
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    return "".join(str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code")


def test_the_notebooks_are_the_three_that_are_checked() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SAID)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    @pytest.mark.usefixtures("small")
    def test_runs_top_to_bottom(self, path: Path) -> None:
        outputs = run(nbformat.read(path, as_version=4))
        for words in SAID[path.stem]:
            assert words in outputs, words

    def test_committed_without_outputs(self, path: Path) -> None:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                assert (cell.outputs, cell.execution_count) == ([], None)

    def test_holds_no_logic(self, path: Path) -> None:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
                assert not kinds & {ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.While, ast.Try}

    def test_a_picture_is_labelled_with_the_verb_of_an_outcome(self, path: Path) -> None:
        """The outcome itself is an object: a label printed its code."""
        for cell in nbformat.read(path, as_version=4).cells:
            assert "{model.outcome" not in cell.source


@pytest.mark.usefixtures("small")
def test_a_notebook_that_breaks_is_seen() -> None:
    """The sabotaged twin."""
    notebook = nbformat.read(ROOT / "notebooks" / "the_company_as_of_today.ipynb", as_version=4)
    notebook.cells = [nbformat.v4.new_code_cell("from features.panel.build import no_such_thing")]
    with pytest.raises(CellExecutionError, match="no_such_thing"):
        run(notebook)
