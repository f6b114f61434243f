"""The pages, in the order in which their paths are looked up: a model's work list takes every word that no other page has."""

from __future__ import annotations

from serving.page.entity import router as entity
from serving.page.model import router as model
from serving.page.model_signals import router as model_signals
from serving.page.portfolio import router as portfolio
from serving.page.status import router as status
from serving.page.work_list import router as work_list

ROUTERS = (portfolio, entity, model, model_signals, status, work_list)
