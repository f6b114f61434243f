"""Sets up a new store in a process of its own, so that the caller never imports alembic."""

from __future__ import annotations

import subprocess
import sys

from features.kit.errors import AccountscoreError
from serving.settings import ServingSettings

SECONDS = 300.0
"""Longest wait for that process, seconds; it takes 3 s when nothing is in the way."""


def set_up(settings: ServingSettings) -> None:
    """Creates the tables of an empty store, and takes what training did into the audit log of one that is set up. A store that holds data at an older revision is left alone: people choose
    when to run `serving migrate`.
    """
    from serving.audit_log.service import settle_if_there
    from serving.audit_log.spool import settle
    from serving.privacy.suppression_export import learn
    from serving.store.connect import open_store
    from serving.store.tables import REVISION

    store = open_store(settings.base.store_url)
    try:
        found = store.revision()
        is_new = found is None
        store.require_writable()
        if found == REVISION:
            learn(store, settings.base.home)  # the store may be an older copy, put back after a loss
            settle(store, settings.base.home)
    finally:
        store.close()
    if is_new:
        try:
            done = subprocess.run(  # nosec B603
                [sys.executable, "-m", "serving", "migrate"],
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise AccountscoreError(
                f"the store was not set up within {SECONDS:g} s: is its database at work?"
            ) from None
        if done.returncode:
            raise AccountscoreError(f"the store could not be set up: {done.stderr.strip().splitlines()[-1:]}")
        sys.stderr.write(done.stderr)  # that another store told this home who was erased, for one
        sys.stderr.flush()
        settle_if_there(settings)
