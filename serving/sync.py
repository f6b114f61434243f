"""`serving sync`: the registry's alias `champion` decides, the pointer files follow. The one place in serving that may
load mlflow, in a process that ends."""

from __future__ import annotations
