"""Imports all that a command of the product may import. The fork server of `tests.kit.commands` does it once, for all commands."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil

import features
import models
import serving
import training

for package in (features, models, training, serving):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
# What the product imports inside its functions. MLflow reads at import whether it may talk to others.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
for name in ("alembic.command", "mlflow", "optuna", "openpyxl", "sqlalchemy.dialects.sqlite"):
    importlib.import_module(name)
gc.collect()
gc.freeze()  # a collection in a fork would copy every page
