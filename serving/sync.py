"""`serving sync`: the registry's alias `champion` decides, the pointer files follow. The one place in serving that may
load mlflow, in a process that ends."""

from __future__ import annotations

import tempfile
from pathlib import Path

from models import pointer, registry
from models.catalog import MODELS
from models.scorer import Scorer
from serving.settings import ServingSettings


def sync(settings: ServingSettings) -> list[str]:
    """Put the registry's champion of each model live where the pointer says otherwise; one line a model of what was done.

    A model without a champion keeps its pointer: taking a score away is a decision, not a repair. Raises
    `ScorerRefused` when the registry's scorer does not verify; the pointer then stays as it was.
    """
    return [_sync(settings, name) for name in MODELS]


def _sync(settings: ServingSettings, name: str) -> str:
    home = settings.base.home
    with pointer.locked(home, name), tempfile.TemporaryDirectory() as scratch:
        champion = registry.by_alias(settings.base, name, registry.CHAMPION)
        if champion is None:
            return f"{name}: no version has the alias champion; the pointer is left alone"
        try:
            live = pointer.read_pointer(home, name)
        except ValueError:
            live = None  # a damaged pointer is what this command mends
        if live is not None and live.version == champion.version and live.path.is_dir():
            return f"{name}: version {champion.version} is live"
        directory = registry.download(settings.base, champion, Path(scratch))
        Scorer.load(directory)
        pointer.put_live(home, name, directory, champion.version)
        return f"{name}: version {champion.version} put live" + (f" in place of {live.version}" if live else "")
