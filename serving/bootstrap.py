"""Setting up a store that is new, in a process of its own, so that alembic stays out of this one."""

from __future__ import annotations

import subprocess
import sys

from features.kit.errors import AccountscoreError
from serving.settings import ServingSettings

SECONDS = 300.0
"""It takes 3 s where nothing is in the way."""


def set_up(settings: ServingSettings) -> None:
    """One that has data at an older revision is left to `serving migrate`: when that runs is for people to choose."""
    from serving.privacy.suppression_export import learn
    from serving.store.connect import open_store
    from serving.store.tables import REVISION

    store = open_store(settings.base.store_url)
    try:
        found = store.revision()
        is_new = found is None
        store.require_writable()
        if found == REVISION:
            learn(store, settings.base.home)  # an older copy may have been put in the place of one that was lost
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
