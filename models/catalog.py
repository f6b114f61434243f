"""The models there are. Adding one is a file and a line here."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from features.kit.errors import BadInput, Fault, UserMistake
from models.definition import BadModel, Model

FILES = (
    "lead_fit",
    "churn_risk",
    "expansion",
)
"""Each a file beside this one, with its `MODEL`."""


class BadModels(BadInput):
    """Raised with every fault of every model's file: until they are mended no command that needs a model begins."""


def load(files: Iterable[str], package: str = "models") -> dict[str, Model]:
    """The models of these files by name, in their order. Raises `BadModels` with all that is wrong with any of them."""
    found: dict[str, Model] = {}
    faults: list[Fault] = []
    for file in files:
        where = f"{package}/{file}.py"
        try:
            model = importlib.import_module(f"{package}.{file}").MODEL
        except BadModel as bad:
            faults += bad.faults
        except (ImportError, AttributeError, SyntaxError, TypeError, NameError) as error:
            rule = "the file makes one MODEL = Model(...) of the fields in models/definition.py"
            step = f"mend it, or take its line out of models/catalog.py; python -c 'import {package}.{file}' shows the place"
            faults.append(Fault(where=where, found=f"{type(error).__name__}: {error}", rule=rule, next_step=step))
        else:
            if not isinstance(model, Model):
                rule, step = "MODEL is a models.definition.Model", "write MODEL = Model(...)"
                faults.append(Fault(where=f"{where}, MODEL", found=f"it is {model!r}", rule=rule, next_step=step))
            elif model.name in found:
                rule, step = "a name is of one model", "give one of them another name"
                faults.append(
                    Fault(where=f"{where}, field name", found=f"it is {model.name!r} again", rule=rule, next_step=step)
                )
            else:
                found[model.name] = model
    if faults:
        raise BadModels("the models", faults)
    return found


MODELS: dict[str, Model] = load(FILES)
DEMO: tuple[str, ...] = tuple(name for name, model in MODELS.items() if model.in_demo)
"""The models that `make demo` trains when nobody says which."""


class UnknownModel(UserMistake):
    """Raised for a name that no model has; lists those there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no model {name!r}: one of {', '.join(MODELS)}")


def get_model(name: str) -> Model:
    """The model of a name; an underscore is taken for a hyphen.

    >>> get_model("churn_risk").name
    'churn-risk'
    """
    model = MODELS.get(name.replace("_", "-"))
    if model is None:
        raise UnknownModel(name)
    return model
