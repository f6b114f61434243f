"""The models there are. Adding one is a file and a line here."""

from __future__ import annotations

from features.kit.errors import UserMistake
from models import churn_risk, expansion, lead_fit
from models.definition import Model

MODELS: dict[str, Model] = {
    module.MODEL.name: module.MODEL
    for module in (
        lead_fit,
        churn_risk,
        expansion,
    )
}
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
