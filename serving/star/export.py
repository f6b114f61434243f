"""Adding a published run to a star, and the outcomes of earlier runs that have ripened since."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from features.errors import UserMistake
from features.source import Source
from serving.replay.scorers import KeptScorers
from serving.star.destination import Added, Destination
from serving.star.folder import Folder
from serving.star.published import PublishedRun


@dataclass(frozen=True)
class Exported:
    """What one export did."""

    run_id: str
    to: str
    added: Added

    def lines(self) -> list[str]:
        if not self.added.rows:
            return [f"run {self.run_id} is in {self.to} already"]
        rows = ", ".join(f"{count:,} {name}" for name, count in self.added.rows.items())
        replaced = f" in the place of {self.added.replaced} of the same moment" if self.added.replaced else ""
        return [f"run {self.run_id} -> {self.to}{replaced}: {rows}"]


def export(scores: Path, to: str, scorers: KeptScorers, source: Source | None = None, csv: bool = False) -> Exported:
    """Add the run that was published in `scores` to the star in `to`: a folder, or the URL of a database.

    With `source` accounts have names. `csv` mirrors a folder as CSV; a mirror that is there is kept in line. The same export
    again changes nothing. Raises `UserMistake` when no whole run was published, or `to` cannot hold a star; `BatchBusy` when
    another export goes on there; `OSError` when the disk fails: what the star had before is as it was.
    """
    run = PublishedRun(scores, scorers, source)
    with destination(to) as star:
        added = star.add(run)
        if isinstance(star, Folder):
            if csv or star.has_csv:
                star.mirror_csv()
        elif csv:
            raise UserMistake(f"--csv is for a folder, and --to {to!r} is a database")
        return Exported(run.run_id, to, added)


def destination(to: str) -> AbstractContextManager[Destination]:
    """The star at a place; its changes hold when the block ends well."""
    return Folder.opened(Path(to))
