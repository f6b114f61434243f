"""The MLflow registry: runs, versions and aliases. Only this module imports MLflow, and only when a function is called."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from features.kit.errors import AccountscoreError, UserMistake
from features.kit.file_lock import file_lock
from features.kit.settings import Settings
from features.kit.writable import require_writable as require_folder
from features.kit.writable import unwritable
from models import artifact_location
from models.definition import Model
from models.scorer.artefact_schema import SignalSpec
from models.scorer.scorer import Scorer
from models.scorer.verdict import MARK, refused

EXPERIMENT = "accountscore"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
_OTHER_VERSION = re.compile("out-of-date database schema|Can't locate revision")
"""The error text of MLflow or alembic for a database that another version wrote."""
_UNWRITABLE = re.compile("attempt to write a readonly database|unable to open database file")
"""SQLite's error text for a file that cannot be written."""
_PACKAGES = Path(__file__).parents[1]


@dataclass(frozen=True)
class Version:
    """One registered version of a model."""

    model: str
    version: int
    run_id: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None


ATTEMPTS = 3
"""How often MLflow is asked to note the data of a run."""
LOCK_SECONDS = 120.0
"""To wait for another process that makes the registry's tables; it takes two to ten."""


@contextlib.contextmanager
def _mlflow(settings: Settings) -> Iterator[Any]:
    """MLflow with the settings' tracking store, its log lines and warnings switched off."""
    # Read at import: no telemetry, no tips, no progress bars for a file of a few kilobytes.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("mlflow", "alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        for name in ("mlflow", "alembic", "alembic.runtime.migration"):
            logging.getLogger(name).setLevel(logging.ERROR)
        from mlflow.utils.logging_utils import disable_logging

        disable_logging()  # type: ignore[no-untyped-call]
        from mlflow.tracking._model_registry import fluent

        fluent.eprint = lambda *_, **__: None  # type: ignore[attr-defined]  # it tells each version to stderr, whatever was switched off
        file = file_of(settings)
        if file is not None:
            _require_file(file)  # MLflow writes when it opens one, and tries for a minute and a half
            file.parent.mkdir(parents=True, exist_ok=True)
            from mlflow.store.db import utils

            # It takes the URL's text for the path, and makes a second folder where a character is escaped in it.
            utils._make_parent_dirs_if_sqlite = lambda db_uri: None
        mlflow.set_tracking_uri(settings.tracking_uri)
        mlflow.set_registry_uri(settings.tracking_uri)
        try:
            if file is not None:
                _make(mlflow, file)
                artifact_location.follow(file, settings.home, EXPERIMENT)
            yield mlflow
        except Exception as error:
            said = str(error)
            if _UNWRITABLE.search(said) is not None:
                raise AccountscoreError(
                    f"the registry {_shown(settings)} cannot be written: see that its file and folder may be written, or set "
                    "ACCOUNTSCORE_TRACKING_URI to one that can"
                ) from None
            if _OTHER_VERSION.search(said) is None:
                raise
            raise AccountscoreError(
                f"the registry {_shown(settings)} is of another version of MLflow than {mlflow.__version__}: use the version that "
                "wrote it; one that is older is brought up by mlflow db upgrade, after a backup"
            ) from None


def _make(mlflow: Any, file: Path) -> None:
    """Have MLflow make the tables of a new registry, one process at a time: of two that begin together one fails on the other's."""
    away = AccountscoreError(
        f"the registry {str(file)!r} is being made by another process: try again when that is done"
    )
    with file_lock(file.with_name(f".{file.name}.lock"), LOCK_SECONDS, away):
        if not (file.exists() and file.stat().st_size):
            client = mlflow.MlflowClient()
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)


def require_writable(settings: Settings) -> None:
    """Raises `UserMistake` when the home, or a registry that is a file, cannot be written. Call it before learning or promoting."""
    settings.require_home()
    file = file_of(settings)
    if file is not None:
        _require_file(file)


def _require_file(file: Path) -> None:
    next_step = "mount it writable, or set ACCOUNTSCORE_TRACKING_URI to a registry that can be written"
    require_folder(file.parent, next_step)  # SQLite keeps its journal beside it
    why = unwritable(file) if file.exists() else None
    if why is not None:
        raise UserMistake(f"the registry {str(file)!r} cannot be written ({why}): {next_step}")


def file_of(settings: Settings) -> Path | None:
    """The SQLite file of the registry, None when it is a server or another database."""
    scheme, _, rest = settings.tracking_uri.partition(":///")
    return Path(unquote(rest.partition("?")[0])) if scheme == "sqlite" else None


def _experiment(mlflow: Any, settings: Settings) -> str:
    folder = (settings.home / artifact_location.FOLDER).as_uri()
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return str(mlflow.create_experiment(EXPERIMENT, artifact_location=folder))
        except mlflow.exceptions.MlflowException:  # another fit, which began at the same time, has made it
            found = mlflow.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise
    return str(found.experiment_id)


def log_version(
    settings: Settings,
    definition: Model,
    scorer: Path,
    *,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    tags: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
    trials: Sequence[Mapping[str, object]] = (),
    description: str = "",
) -> Version:
    """One run with the scorer, its figures, files and data, and one new version of the registered model.

    trials : what was tried while tuning, each with `loss`, `seconds` and its settings; each becomes a run inside the run
    """
    loaded = Scorer.load(scorer)
    with _mlflow(settings) as mlflow:
        with mlflow.start_run(
            experiment_id=_experiment(mlflow, settings), run_name=definition.name, tags=dict(tags or {})
        ) as run:
            mlflow.log_params(dict(parameters))
            mlflow.log_metrics({k: float(v) for k, v in metrics.items() if np.isfinite(v)})
            mlflow.log_dict({"signals": [_described(s) for s in loaded.spec.signals]}, "signals.json")
            _log_dataset(mlflow, loaded)
            for number, trial in enumerate(trials):
                _log_trial(mlflow, settings, number, trial)
            for file in files:
                mlflow.log_artifact(str(file))
            example = _example(loaded)
            mlflow.pyfunc.log_model(
                name="scorer",
                python_model=str(Path(__file__).with_name("pyfunc_model.py")),
                artifacts={"scorer": str(scorer)},
                code_paths=[str(_PACKAGES / "features"), str(_PACKAGES / "models")],
                signature=_signature(mlflow, loaded, example),
                input_example=example,
                pip_requirements=["numpy", "msgspec", "pylignum", "pandas", "pyarrow", "typer", "mlflow"],
                registered_model_name=definition.name,
            )
        client = mlflow.MlflowClient()
        version = max(int(v.version) for v in client.search_model_versions(f"run_id = '{run.info.run_id}'"))
        if description:
            client.update_model_version(definition.name, str(version), description)
        client.set_model_version_tag(definition.name, str(version), "scorer_sha256", loaded.sha256)
        for key, value in (tags or {}).items():
            client.set_model_version_tag(definition.name, str(version), key, value)
        return Version(definition.name, version, run.info.run_id, (), dict(tags or {}))


def attach(settings: Settings, run_id: str, files: Sequence[Path], folder: str | None = None) -> None:
    """Add files to a run that is over, below `folder` of its artifacts."""
    with _mlflow(settings) as mlflow:
        client = mlflow.MlflowClient()
        for file in files:
            client.log_artifact(run_id, str(file), folder)


def fetch(settings: Settings, run_id: str, names: Sequence[str]) -> dict[str, bytes]:
    """The content of those of these files that were attached to a run, by name."""
    with _mlflow(settings) as mlflow, tempfile.TemporaryDirectory() as scratch:
        client = mlflow.MlflowClient()
        there = {each.path for each in client.list_artifacts(run_id)}
        return {
            name: Path(client.download_artifacts(run_id, name, scratch)).read_bytes() for name in names if name in there
        }


def versions(settings: Settings, model: str) -> list[Version]:
    """All versions of a model, the newest first; none when it was never trained."""
    with _mlflow(settings) as mlflow:
        client = mlflow.MlflowClient()
        try:
            aliases = client.get_registered_model(model).aliases
        except mlflow.exceptions.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return []
            # A registry that is away must not look like one in which nothing was ever trained.
            said = str(error).strip().splitlines() or [""]
            raise AccountscoreError(f"the registry {_shown(settings)} does not answer: {said[0][:200]}") from None
        found = client.search_model_versions(f"name = '{model}'")
        held: dict[int, list[str]] = {}
        for alias, version in aliases.items():
            held.setdefault(int(version), []).append(alias)
        return sorted(
            (
                Version(model, int(v.version), v.run_id, tuple(sorted(held.get(int(v.version), []))), dict(v.tags))
                for v in found
            ),
            key=lambda v: -v.version,
        )


def _shown(settings: Settings) -> str:
    """Where the registry is, without the password that a URL may hold."""
    scheme, _, rest = settings.tracking_uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def by_alias(settings: Settings, model: str, alias: str) -> Version | None:
    """The version that has an alias, None when no version has it."""
    return next((v for v in versions(settings, model) if alias in v.aliases), None)


def get_version(settings: Settings, model: str, number: int | None = None) -> Version:
    """A version by number, the newest when None. Raises `UserMistake` that lists those there are."""
    found = versions(settings, model)
    if not found:
        raise UserMistake(f"{model!r} has no version yet: train one with python -m training fit {model} --source ...")
    if number is None:
        return found[0]
    for version in found:
        if version.version == number:
            return version
    raise UserMistake(f"{model!r} has no version {number}: there are {', '.join(str(v.version) for v in found)}")


def set_alias(settings: Settings, model: str, alias: str, version: int) -> None:
    """Give an alias to a version; it moves there from any other version."""
    with _mlflow(settings) as mlflow:
        mlflow.MlflowClient().set_registered_model_alias(model, alias, str(version))


def drop_alias(settings: Settings, model: str, alias: str) -> None:
    """Remove an alias; the version stays."""
    with _mlflow(settings) as mlflow:
        mlflow.MlflowClient().delete_registered_model_alias(model, alias)


def tag_version(settings: Settings, model: str, version: int, key: str, value: str) -> None:
    """Set a tag of a version, or replace its value."""
    with _mlflow(settings) as mlflow:
        mlflow.MlflowClient().set_model_version_tag(model, str(version), key, value)


def download(settings: Settings, version: Version, to: Path) -> Path:
    """Fetch the scorer directory of a version below `to` and return its path; it is not verified yet."""
    with _mlflow(settings) as mlflow:
        to.mkdir(parents=True, exist_ok=True)
        uri = f"models:/{version.model}/{version.version}"
        fetched = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(to)))
        found = [path.parent for path in fetched.rglob("MANIFEST.json")]
        if len(found) != 1:
            raise UserMistake(
                f"version {version.version} of {version.model!r} holds {len(found)} scorers, expected one: train it again"
            )
        return found[0]


def _described(signal: SignalSpec) -> dict[str, object]:
    return {
        "name": signal.name,
        "theme": signal.theme,
        "unit": signal.unit,
        "window": signal.window,
        "missing": signal.missing,
        "label": signal.label,
        "type": "number" if signal.vocabulary is None else "category",
    }


def _log_dataset(mlflow: Any, scorer: Scorer) -> None:
    """The data by name and content fingerprint; their rows stay where they are.

    MLflow looks whether it has the data and adds them if not. When two fits on the same data end at once, the second one's row
    breaks a constraint; asked again, MLflow finds the first one's.
    """
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    spec = scorer.spec
    period = {"trained_from": spec.trained_from or "", "trained_to": spec.trained_to or ""}
    source = CodeDatasetSource(tags={"accountscore.source": spec.source or "", **period})
    digest = (spec.data_fingerprint or "unknown")[:36]  # MLflow keeps no longer one
    data = MetaDataset(source, name=spec.source or "data", digest=digest)  # type: ignore[abstract]  # a slip in its types
    for attempt in range(1, ATTEMPTS + 1):
        try:
            mlflow.log_input(data, context="training")
            return
        except mlflow.exceptions.MlflowException:
            if attempt == ATTEMPTS:
                raise


def _log_trial(mlflow: Any, settings: Settings, number: int, trial: Mapping[str, object]) -> None:
    figures = {name: float(trial[name]) for name in ("loss", "seconds")}  # type: ignore[arg-type]  # numbers by contract
    with mlflow.start_run(
        experiment_id=_experiment(mlflow, settings),
        run_name=f"trial {number + 1}: {trial.get('kind', '')}",
        nested=True,
    ):
        mlflow.log_params({k: v for k, v in trial.items() if k not in figures})
        mlflow.log_metrics(figures)


def _example(scorer: Scorer) -> Any:
    import pandas as pd

    columns: dict[str, list[object]] = {}
    for signal in scorer.spec.signals:
        if signal.vocabulary is not None:
            columns[signal.name] = [signal.vocabulary[0] if signal.vocabulary else None, None]
        else:
            columns[signal.name] = [signal.low if signal.low is not None else 0.0, float("nan")]
    frame = pd.DataFrame(columns)
    for signal in scorer.spec.signals:
        if signal.vocabulary is not None:
            frame[signal.name] = frame[signal.name].astype(object)
    return frame


def _signature(mlflow: Any, scorer: Scorer, example: Any) -> Any:
    from mlflow.types import ColSpec, Schema

    inputs = Schema(
        [
            ColSpec("string" if s.vocabulary is not None else "double", s.name, required=False)
            for s in scorer.spec.signals
        ]
    )
    outputs = Schema(
        [
            ColSpec("double", "probability"),
            ColSpec("long", "score"),
            ColSpec("string", "band"),
            *([ColSpec("string", MARK)] if refused(scorer.spec) else []),
        ]
    )
    return mlflow.models.ModelSignature(inputs=inputs, outputs=outputs)
