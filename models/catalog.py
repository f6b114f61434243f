"""Every model by name. To add one: write its file, then add its line here."""

from __future__ import annotations

from models import churn_risk, lead_fit
from models.definition import Model
from models.errors import UnknownModel

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        lead_fit.MODEL,
        churn_risk.MODEL,
    )
}


def get_model(name: str) -> Model:
    """The model of that name; an underscore is accepted for the hyphen.

    >>> get_model("churn_risk").horizon_days
    90
    >>> get_model("churn")
    Traceback (most recent call last):
    models.errors.UnknownModel: 'churn' is no model: choose one of churn-risk, lead-fit
    """
    model = MODELS.get(name.strip().replace("_", "-"))
    if model is None:
        raise UnknownModel(name, MODELS)
    return model
