"""Removes erased accounts and leads from the home's files: published runs, the batch's carried state, and reports.

The ids in a file are hashed and looked up among the tombstones, so no list of names is needed, and a file that could
not be rewritten is rewritten by the next call.
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
"""Folders of the home with reports of training; MLflow's folder has copies of them."""
PUBLISHED = "scores"
_ROW = re.compile(r"<tr><td>([^<]*)</td>.*?</tr>\n?", re.DOTALL)


def remove_erased(home: Path, erased: Erased) -> list[str]:
    """Remove erased accounts and leads from a home's files. Returns what could not be done, with the next step."""
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
    """The entities of a report, by the model in its path; both when the path names none."""
    found = {get_model(name).entity for name in MODELS if name in path.parts}
    return tuple(sorted(found)) or ("account", "lead")


def _without(held: Any, is_erased: Any) -> Any:
    """The same, without the list entries whose `entity_id` was erased."""
    if isinstance(held, dict):
        return {key: _without(value, is_erased) for key, value in held.items()}
    if isinstance(held, list):
        return [_without(v, is_erased) for v in held if not (isinstance(v, dict) and is_erased(v.get("entity_id")))]
    return held
