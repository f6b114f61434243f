"""Files of the home that name accounts and leads: published runs, what a batch carries on, reports. Who was erased is taken out.

Nobody needs to be told who: the ids in a file are hashed and looked up among the tombstones. So a file that could not be
rewritten is rewritten by the next call.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from features.kit import atomic_files
from features.kit.errors import UserMistake
from models.catalog import MODELS, get_model
from serving.privacy.repository import Erased

REPORTS = ("runs", "monitor", "compare", "backtest", "mlruns")
"""Folders of the home below which training writes figures; MLflow's files hold copies of the same reports."""
PUBLISHED = "scores"
_ROW = re.compile(r"<tr><td>([^<]*)</td>.*?</tr>\n?", re.DOTALL)


def remove_erased(home: Path, erased: Erased) -> list[str]:
    """Take erased accounts and leads out of the files of a home; returns what could not be done, with the next step."""
    if not erased.id_hashes:
        return []
    troubles = []
    for path in _reports(home):
        try:
            _rewrite(path, erased)
        except OSError as error:
            troubles.append(f"{str(path)!r} could not be rewritten ({error.strerror}): delete it")
    return troubles + _published(home / PUBLISHED, erased)


def _published(out: Path, erased: Erased) -> list[str]:
    if not out.is_dir():
        return []
    from serving.errors import BatchBusy
    from serving.manifest import only_one, rewrite_without

    try:
        with only_one(out):
            rewrite_without(out, erased.has)
    except BatchBusy:
        return [f"a batch is going on in {str(out)!r}, which may publish who was erased meanwhile: run it once more"]
    except (OSError, UserMistake, ValueError) as error:
        return [f"the run in {str(out)!r} could not be rewritten ({type(error).__name__}): run the batch once more"]
    return []


def _reports(home: Path) -> Iterator[Path]:
    for folder in REPORTS:
        names = ("report.json", "report.html") if folder == "mlruns" else ("*.json", "*.html")
        for name in names:
            yield from sorted((home / folder).rglob(name))


def _rewrite(path: Path, erased: Erased) -> None:
    kinds = _kinds(path)
    text = path.read_text(encoding="utf-8", errors="surrogateescape")

    def is_erased(name: object) -> bool:
        return isinstance(name, str) and any(erased.has(kind, name) for kind in kinds)

    if path.suffix == ".html":
        new = _ROW.sub(lambda row: "" if is_erased(html.unescape(row[1])) else row[0], text)
    else:
        try:
            held = json.loads(text)
        except ValueError:
            return
        left = _without(held, is_erased)
        new = text if left == held else json.dumps(left, indent=2)
    if new != text:
        atomic_files.write_bytes(path, new.encode("utf-8", errors="surrogateescape"))


def _kinds(path: Path) -> tuple[str, ...]:
    """Whether a report speaks of accounts or leads, by the model in its path; where that is not told, both."""
    found = {get_model(name).entity for name in MODELS if name in path.parts}
    return tuple(sorted(found)) or ("account", "lead")


def _without(held: Any, is_erased: Any) -> Any:
    """The same without the entries of lists that are of somebody erased."""
    if isinstance(held, dict):
        return {key: _without(value, is_erased) for key, value in held.items()}
    if isinstance(held, list):
        return [_without(v, is_erased) for v in held if not (isinstance(v, dict) and is_erased(v.get("entity_id")))]
    return held
