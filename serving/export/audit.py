"""What the audit log says of a star: where it goes, and how much of it went there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from serving.audit_log.entry import Who
from serving.audit_log.exports import Export, into_log, logged
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from serving.export.export import Exported


class Star:
    """What one export did, once it is known."""

    exported: Exported | None = None


@contextmanager
def logged_star(settings: ServingSettings, who: Who, to: str) -> Iterator[Star]:
    """Both rows of an export of published scores (`serving.audit_log.exports`)."""
    star = Star()
    with logged(into_log(settings), Export(who, "star", None, {"to": without_password(to)})) as told:
        yield star
        if star.exported is not None:
            told |= {"run": star.exported.run_id, "rows": star.exported.added.rows}


def without_password(to: str) -> str:
    """A folder or a database, fit to be shown.

    >>> without_password("postgresql://bi:secret@host/star"), without_password("out/star")
    ('postgresql://bi:***@host/star', 'out/star')
    """
    if "://" not in to:
        return to
    try:
        return make_url(to).render_as_string(hide_password=True)
    except ArgumentError:  # the export refuses it
        return "no URL"
