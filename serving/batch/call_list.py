"""Call list: the top of a published run, as a table and as an Excel file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from rich.table import Table as RichTable

from features.kit import atomic_files
from features.kit.errors import MissingExtra
from features.kit.writable import require_place
from features.outcomes.outcome import Stake
from features.sources.schema import ENTITIES
from models.catalog import get_model
from models.population import OUTSIDE
from serving.csv_injection import harmless
from serving.manifest import parts_of, read_manifest, seen

By = Literal["probability", "value"]
_ORDER: dict[By, tuple[str, str]] = {
    "probability": ("probability", "value_at_risk"),
    "value": ("value_at_risk", "probability"),
}


@dataclass(frozen=True)
class Top:
    """Top rows of one model."""

    model: str
    entity: str
    horizon_days: int
    as_of: str
    scored: int
    outside: int
    """Number of eligible entities outside the model's population."""
    population: str | None
    """The model's population in words; None when it is for all eligible entities."""
    rows: list[dict[str, Any]]

    @property
    def stake(self) -> Stake:
        """What is at stake, in the words of the model's outcome."""
        return get_model(self.model).outcome.stake


def read_top(scores: Path, model: str, count: int, by: By = "probability") -> Top:
    """The `count` entities with the highest probability, or the most at stake; ties by the other one, then by id.

    Raises `UserMistake` when nothing was published there, or not by this model.
    """
    manifest = seen(read_manifest(scores), scores)
    keys = [(name, "descending") for name in _ORDER[by]] + [("entity_id", "ascending")]
    heads: list[pa.Table] = []
    scored = outside = 0
    for part in parts_of(scores, manifest, model):  # part by part: a run may be larger than memory
        eligible = part.filter(pc.is_null(part["no_score"]))
        scored += eligible.num_rows
        outside += pc.sum(pc.equal(part["no_score"], OUTSIDE)).as_py() or 0
        both = pa.concat_tables([*heads, eligible])
        # Nulls sort last either way: entities of unknown value come after the others.
        heads = [both.take(pc.sort_indices(both, sort_keys=keys)[:count])]
    described = manifest["models"][model]
    rows = heads[0].to_pylist() if heads else []
    return Top(
        model,
        described["entity"],
        described["horizon_days"],
        manifest["as_of"],
        scored,
        outside,
        described.get("population"),
        rows,
    )


def top_table(top: Top, currency: str, reasons: int = 2) -> RichTable:
    """The table that the demo prints."""
    title = (
        f"{len(top.rows)} {top.stake.title} of {top.scored:,}, as of {top.as_of[:10]}, within {top.horizon_days} days"
    )
    if top.population:
        title += f"\nof those of whom {top.population}; {top.outside:,} eligible {ENTITIES[top.entity]} are not"
    table = RichTable(title=title, show_lines=True)
    table.add_column(top.entity, overflow="fold")
    table.add_column("probability", justify="right")
    table.add_column("score", justify="right")
    table.add_column("band")
    table.add_column(top.stake.amount, justify="right")
    table.add_column("why", ratio=1)
    for row in top.rows:
        stake = row["value_at_risk"]
        table.add_row(
            row["entity_id"],
            f"{row['probability']:.0%}" if row["probability"] >= 0.1 else f"{row['probability']:.1%}",
            str(row["score"]),
            row["band"],
            "unknown" if stake is None else f"{stake:,.0f} {currency}",
            "\n".join(_telling(row["reasons"], reasons)),
        )
    return table


def _telling(reasons: Sequence[dict[str, Any]], count: int) -> list[str]:
    """Reasons that raise the score come first: they are why the entity is in the list."""
    ordered = sorted(reasons, key=lambda r: (r["effect"] <= 0, -abs(r["effect"])))
    return [reason["text"] for reason in ordered[:count]]


def write_call_list(top: Top, path: Path, currency: str) -> None:
    """The same as an Excel file. Raises `MissingExtra` without the extra `bi`."""
    try:
        import xlsxwriter
    except ModuleNotFoundError:
        raise MissingExtra("bi", "an Excel call list") from None
    require_place(path)
    # In memory: xlsxwriter writes at the end, and would leave an unfinished file behind.
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True})
    sheet = book.add_worksheet(top.model)
    bold, share, money = (
        book.add_format({"bold": True}),
        book.add_format({"num_format": "0.0%"}),
        book.add_format({"num_format": "#,##0"}),
    )
    heads = [top.entity, "probability", "score", "band", f"{top.stake.amount} ({currency})", "why"]
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, bold)
    for number, row in enumerate(top.rows, 1):
        sheet.write_string(number, 0, harmless(row["entity_id"]))
        sheet.write_number(number, 1, row["probability"], share)
        sheet.write_number(number, 2, row["score"])
        sheet.write_string(number, 3, row["band"])
        if row["value_at_risk"] is not None:
            sheet.write_number(number, 4, row["value_at_risk"], money)
        sheet.write_string(number, 5, harmless(" ".join(_telling(row["reasons"], 3))))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(1, len(top.rows)), len(heads) - 1)
    sheet.set_column(5, 5, 100)
    book.close()
    atomic_files.write_bytes(path, content.getvalue())
