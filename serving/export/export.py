"""Adds a published run to a star, and the outcomes of earlier runs that are known by now."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from features.kit.errors import UserMistake
from features.sources.source import Source
from serving.export.database import Database
from serving.export.destination import Added, Destination
from serving.export.folder import Folder
from serving.export.outcomes import Ripened, ripen
from serving.export.published_run import PublishedRun
from serving.scorer_cache import KeptScorers


@dataclass(frozen=True)
class Exported:
    """What one export did."""

    run_id: str
    to: str
    added: Added
    ripened: Ripened | None

    def lines(self) -> list[str]:
        """The result in lines for people."""
        rows = ", ".join(f"{count:,} {name}" for name, count in self.added.rows.items())
        replaced = (
            f" in the place of {self.added.replaced} of the same moment or of one that has not come"
            if self.added.replaced
            else ""
        )
        here = (
            f"run {self.run_id} -> {self.to}{replaced}: {rows}"
            if rows
            else f"run {self.run_id} is in {self.to} already"
        )
        if self.ripened is None:
            return [here]
        ripe = ", ".join(f"{count:,} of {model}" for model, count in self.ripened.rows.items()) or "none new"
        return [here, f"outcomes: {ripe}; {self.ripened.waiting:,} windows are not over", *self.ripened.notes]


def export(scores: Path, to: str, scorers: KeptScorers, source: Source | None = None, csv: bool = False) -> Exported:
    """Add the run that was published in `scores` to the star in `to`: a folder, or the URL of a database.

    With `source` accounts have names, and the outcomes of earlier runs are filled in as their windows end. `csv` mirrors a
    folder as CSV; a mirror that is there is kept in line. The same export again changes nothing.

    Raises `UserMistake` when no whole run was published, or `to` cannot hold a star; `BatchBusy` when
    another export goes on there; `OSError` when the disk fails: what the star had before is as it was.
    """
    if csv and _is_url(to):
        raise UserMistake("--csv is for a folder: --to names a database")
    run = PublishedRun(scores, scorers, source)
    with destination(to) as star:
        added = star.add(run)
        ripened = None if source is None else ripen(star, source)
        if isinstance(star, Folder) and (csv or star.has_csv):
            star.mirror_csv()
    return Exported(run.run_id, _shown(to), added, ripened)


def require_destination(to: str) -> None:
    """Raises `UserMistake` when a folder cannot hold a star. Call it before anything is done; a database is looked at when it is opened."""
    if not _is_url(to):
        Folder.require(Path(to))


def destination(to: str) -> AbstractContextManager[Destination]:
    """Opens the star at a place; its changes are kept when the block ends well."""
    return Database.opened(to) if _is_url(to) else Folder.opened(Path(to))


def _is_url(to: str) -> bool:
    return "://" in to


def _shown(to: str) -> str:
    """The place without a password."""
    return make_url(to).render_as_string(hide_password=True) if _is_url(to) else to
