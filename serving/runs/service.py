"""Lists nightly runs from their cards in the home."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from features.kit.clock import EPOCH, iso
from features.kit.file_lock import is_held
from models import card_file
from serving.runs import run_card
from serving.runs.schemas import RunBand, RunModel, RunsAnswer, RunShown

T = TypeVar("T")
UNFINISHED, UNREADABLE = "unfinished", "unreadable"
ENDED = "its process ended without a word (killed, or the machine went down), nothing was published: the same command goes on where it was stopped"
OLD = "scores"
"""The folder that `make score` publishes into: of a home before version 0.3 it has the only trace of a run."""


def runs(home: Path, limit: int, before: str | None) -> RunsAnswer:
    """The newest runs, or those before the one of an id."""
    try:
        names = run_card.names(home)
    except card_file.Unreadable as error:
        return RunsAnswer([_nothing("unknown", UNREADABLE, str(error))], None)
    if not names and before is None:
        return RunsAnswer(_of_old_home(home), None)
    page = [name for name in names if before is None or name < before][: limit + 1]
    return RunsAnswer([_shown(home, name) for name in page[:limit]], page[limit - 1] if len(page) > limit else None)


def _shown(home: Path, name: str) -> RunShown:
    try:
        card = run_card.read(home, name)
    except card_file.Unreadable as error:
        return _nothing(name, UNREADABLE, str(error))
    if card is None:  # swept meanwhile
        return _nothing(name, UNREADABLE, "it was deleted")
    state, why = card.state, card.why
    if state == run_card.RUNNING and not is_held(run_card.lock_of(home, name)):
        state, why = UNFINISHED, ENDED
    return RunShown(
        id=name,
        state=state,
        source=card.source,
        as_of=card.as_of,
        started_at=card.started_at,
        ended_at=card.ended_at,
        seconds=card.seconds,
        exit_code=card.exit_code,
        run_id=card.run_id,
        why=why,
        models=[
            RunModel(model, m.version, m.rows, m.scored, m.no_score, _bands(m)) for model, m in card.models.items()
        ],
        not_scored=card.not_scored,
        without_champion=card.without_champion,
        warnings=card.warnings,
        queued_write_backs=card.queued_write_backs,
        resumed_chunks=card.resumed_chunks,
    )


def _bands(model: run_card.ScoredModel) -> dict[str, RunBand]:
    return {band: RunBand(m.count, m.expected, m.value, m.at_stake) for band, m in model.bands.items()}


def _nothing(name: str, state: str, why: str | None) -> RunShown:
    return RunShown(name, state, None, None, None, None, None, None, None, why, [], [], [], [], None, None)


class _OldReport(Struct, kw_only=True):
    """`last_run.json`."""

    source: str | None = None
    as_of: str | None = None
    run_id: str | None = None
    exit_code: int | None = None
    error: str | None = None
    started: float | None = None
    seconds: float | None = None
    rows: dict[str, int] = {}
    scored: dict[str, int] = {}


class _OldModel(Struct, kw_only=True):
    version: int | None = None
    rows: int = 0


class _OldManifest(Struct, kw_only=True):
    """`manifest.json`."""

    source: str | None = None
    as_of: str | None = None
    run_id: str | None = None
    models: dict[str, _OldModel] = {}


def _of_old_home(home: Path) -> list[RunShown]:
    """The newest run that a version before 0.3 left in the folder that it published into by default."""
    report, manifest = (
        _read(home / OLD / "last_run.json", _OldReport),
        _read(home / OLD / "manifest.json", _OldManifest),
    )
    if report is None and manifest is None:
        return []
    told, published = report or _OldReport(), manifest or _OldManifest()
    shown = _nothing(told.run_id or published.run_id or "unknown", run_card.PUBLISHED, None)
    if told.exit_code and not told.rows:
        shown.state, shown.why = run_card.FAILED, (told.error or "").partition("\n")[0]
    if told.started is not None and told.seconds is not None:
        shown.started_at, shown.ended_at = _moment(told.started), _moment(told.started + told.seconds)
        shown.seconds = told.seconds
    shown.source, shown.as_of = told.source or published.source, told.as_of or published.as_of
    shown.run_id, shown.exit_code = told.run_id or published.run_id, told.exit_code
    rows = told.rows or {name: model.rows for name, model in published.models.items()}
    of_model = published.models
    shown.models = [
        RunModel(name, of_model[name].version if name in of_model else None, count, told.scored.get(name), {}, {})
        for name, count in rows.items()
    ]
    return [shown]


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return card_file.read(path, kind, run_card.AGAIN)
    except card_file.Unreadable:
        return None


def _moment(seconds: float) -> str:
    return iso(EPOCH + timedelta(seconds=int(min(max(seconds, 0.0), 4e9))))
