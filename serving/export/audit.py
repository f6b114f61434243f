"""The row of the audit log for an export. It comes before the export, so that one that is killed has its row too."""

from __future__ import annotations

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from features.kit.clock import system_us
from serving.audit_log.entry import Entry, Who
from serving.audit_log.service import append_or_spool
from serving.settings import ServingSettings


def left_a_row(settings: ServingSettings, who: Who, to: str) -> None:
    """Say in the audit log that the published scores are exported. Where neither the store nor the home can be written,
    the command says that there is no row."""
    entry = Entry(who, "export", "star", None, None, {"to": without_password(to)})
    why = append_or_spool(settings, entry, system_us())
    if why is not None:
        typer.echo(f"this export is not in the audit log: {why}", err=True)


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
