"""`serving sync`: copies the registry's alias `champion` into the pointer files. Only this module of serving loads
MLflow, in a process that ends.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from features.kit import atomic_files
from models import card, card_file, champion_pointer, registry, standing
from models.catalog import MODELS, get_model
from models.scorer.scorer import Scorer
from serving import registry_heartbeat
from serving.audit_log.service import settle_if_there
from serving.errors import RegistryFailed
from serving.log import place_of
from serving.settings import ServingSettings

log = logging.getLogger("serving.sync")
WAIT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Seconds before a slow registry is given up; MLflow itself would wait a quarter of an hour."""


def sync(settings: ServingSettings) -> list[str]:
    """Makes the registry's champion of each model live where the pointer differs; returns one line per model. A model
    without a champion keeps its pointer: taking a score away is a decision, not a repair.

    A model without a champion keeps its pointer: taking a score away is a decision, not a repair. Raises `RegistryFailed`
    when the registry is away or slow, or when its scorer does not verify; the pointers then stay as they were, and the
    API says that it is degraded (`serving.registry_heartbeat`).
    """
    for name, value in WAIT.items():
        os.environ.setdefault(name, value)
    settings.base.require_home()
    try:
        return _sync_all(settings)
    finally:
        settle_if_there(settings)


def _sync_all(settings: ServingSettings) -> list[str]:
    _require_registry(settings)
    lines, failed = [], []
    for name in MODELS:
        try:
            lines.append(_sync(settings, name))
        except Exception as error:  # MLflow and its store raise anything: the failure must be noted
            first = str(error).strip().splitlines()
            failed.append(f"{name}: {first[0] if first else type(error).__name__}")
            registry_heartbeat.note(settings.base.home, name, failed[-1])
        else:
            registry_heartbeat.note(settings.base.home, name)
    if failed:
        raise RegistryFailed(f"the registry could not be followed, the live models stay: {'; '.join(failed)}")
    return lines


def _require_registry(settings: ServingSettings) -> None:
    """Raises `RegistryFailed` when models are live and the registry's file is gone: MLflow would create an empty
    registry in its place.
    """
    file = registry.file_of(settings.base)
    if file is None or (file.is_file() and file.stat().st_size):
        return
    live = [
        name for name in MODELS if (champion_pointer.folder(settings.base.home, name) / champion_pointer.NAME).exists()
    ]
    if live:
        said = f"the registry is lost: there is no {str(file)!r}"
        for name in live:
            registry_heartbeat.note(settings.base.home, name, said)
        raise RegistryFailed(
            f"{said}, and {', '.join(live)} {'is' if len(live) == 1 else 'are'} live; the live models stay. Put a backup of it back, see ACCOUNTSCORE_TRACKING_URI, or "
            "train and promote again"
        )


def _sync(settings: ServingSettings, name: str) -> str:
    home = settings.base.home
    with champion_pointer.locked(home, name), tempfile.TemporaryDirectory() as scratch:
        found = registry.versions(settings.base, name)
        champion = next((version for version in found if registry.CHAMPION in version.aliases), None)
        try:
            live = champion_pointer.read_pointer(home, name)
        except ValueError:
            live = None  # a damaged pointer is what this command mends
        if champion is None and live is not None and live.version not in {version.version for version in found}:
            raise RegistryFailed(
                f"version {live.version} is live and the registry does not know it: it was lost or is another one; see "
                "ACCOUNTSCORE_TRACKING_URI, or put a backup back"
            )
        if champion is None:
            if found:
                _show(settings, name, found)
            return f"{name}: no version has the alias champion; the pointer is left alone"
        if live is not None and live.version == champion.version and live.path.is_dir():
            _show(settings, name, found, champion)
            return f"{name}: version {champion.version} is live"
        directory = registry.download(settings.base, champion, Path(scratch))
        Scorer.load(directory)
        champion_pointer.put_live(home, name, directory, champion.version, command="serving sync")
        before = live.version if live else None
        _show(settings, name, found, champion, standing.event(standing.SYNCED, champion.version, before))
        return f"{name}: version {champion.version} put live" + (f" in place of {live.version}" if live else "")


def _show(
    settings: ServingSettings,
    name: str,
    found: list[registry.Version],
    champion: registry.Version | None = None,
    happened: standing.StandingEvent | None = None,
) -> None:
    """Writes down for the API how the versions stand, and fetches the champion's card when it was fitted elsewhere. A failure is
    only logged: the champion is live all the same.
    """
    home = settings.base.home
    try:
        standing.note(home, name, found, happened)
        if champion is not None and card.read_card(home, get_model(name), champion.version) is None:
            fetched = registry.fetch(settings.base, champion.run_id, (card.NAME, card.REPORT))
            if card.NAME in fetched:
                atomic_files.write_bytes(card.place(home, name, champion.version) / card.NAME, fetched[card.NAME])
            elif card.REPORT in fetched:
                report = card_file.parsed(fetched[card.REPORT])
                content = card.encoded({**report, "version": champion.version}, get_model(name))
                atomic_files.write_bytes(card.place(home, name, champion.version) / card.NAME, content)
    except Exception as error:  # MLflow and its store raise anything
        log.warning("champion.not_shown model=%s version=%s %s", name, champion and champion.version, place_of(error))
