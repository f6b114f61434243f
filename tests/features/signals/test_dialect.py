"""The modules that define signals keep to the dialect in which three engines agree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from features.signals.catalog import THEME_MODULES

ROOT = Path(__file__).parents[3] / "features"


SIGNAL_FILES = [Path(m.__file__ or "") for m in THEME_MODULES] + [
    ROOT / n for n in ("panel/event_windows.py", "panel/point_in_time.py", "signals/definition.py", "signals/custom.py")
]


FORBIDDEN = {
    "join_asof": "missing on Spark",
    "last": "missing on Spark",
    "rank": "ties differ between engines",
    "cum_count": "ties differ between engines",
    "n_unique": "null counts as a value on some engines",
    "mean": "a float sum in parallel is not repeatable: sum integers, divide once",
    "std": "as mean",
    "truncate": "weeks are missing on DuckDB",
    "total_seconds": "no duration arithmetic: times are int64 microseconds",
}


NAMESPACES = {"dt": "times are int64 microseconds; dt differs between engines"}


def lint(text: str) -> list[str]:
    """What breaks the dialect: calls that differ silently, `!=`, negated membership, a condition inside `agg`."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in FORBIDDEN:
                found.append(f"line {node.lineno}: {name}: {FORBIDDEN[name]}")
            if name == "agg":
                inner = [n for arg in (*node.args, *(k.value for k in node.keywords)) for n in ast.walk(arg)]
                if any(isinstance(n, ast.Attribute) and n.attr in ("when", "filter") for n in inner):
                    found.append(
                        f"line {node.lineno}: agg: pandas forgets a condition inside agg; make it a column first"
                    )
        if isinstance(node, ast.Attribute) and node.attr in NAMESPACES and isinstance(node.value, ast.Call):
            found.append(f"line {node.lineno}: .{node.attr}: {NAMESPACES[node.attr]}")
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.NotEq) for op in node.ops) and _has_column(node):
            found.append(f"line {node.lineno}: !=: null rows are kept on pandas and dropped elsewhere")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            call = node.operand
            negatable = (
                isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "is_null"
            )
            if not negatable:
                found.append(f"line {node.lineno}: ~: only ~x.is_null() means the same everywhere")
    return found


def _has_column(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "col" for n in ast.walk(node))


class TestDialect:
    @pytest.mark.parametrize("path", SIGNAL_FILES, ids=lambda p: p.name)
    def test_signal_modules_keep_to_it(self, path: Path) -> None:
        assert lint(path.read_text()) == []

    @pytest.mark.parametrize(
        "text",
        [
            "frame.group_by('a').agg(nw.when(nw.col('x') > 0).then(1).sum())",
            "frame.filter(nw.col('x') != 'y')",
            "frame.filter(~nw.col('x').is_in(['y']))",
            "nw.col('t').dt.weekday()",
            "left.join_asof(right)",
            "nw.col('x').n_unique()",
        ],
    )
    def test_the_lint_sees_what_it_is_for(self, text: str) -> None:
        assert len(lint(text)) == 1
