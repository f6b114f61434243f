"""What all tests share: a Spark that is soon ready, the order of the files, and folders that are made once for all workers."""

from __future__ import annotations

import ast
import fcntl
import functools
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from features.kit.settings import Settings
    from serving.store.connect import Store
    from tests.kit.databases import NewDatabase
    from tests.kit.running import Home

# Spark compiles much and runs it once, on some hundred rows: no second compiler, no threads that collect garbage, no plan
# that is made anew at each stage. It is the same Spark, and two partitions still meet in every shuffle.
os.environ.setdefault(
    "PYSPARK_SUBMIT_ARGS",
    '--driver-java-options "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" --conf spark.sql.adaptive.enabled=false '
    "--conf spark.sql.shuffle.partitions=2 pyspark-shell",
)

# Two workers share the processor: a pool of threads in each, whose threads spin while they wait, would take it twice over. A fork
# of `tests.kit.commands` wants no thread at all.
for name, value in {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}.items():
    os.environ.setdefault(name, value)

LONG = (
    "tests/behaviour/test_walk.py",
    "tests/features/panel/test_build.py",
    "tests/features/panel/test_engines.py",
    "tests/behaviour/test_same_numbers.py",
    "tests/serving/vendors/test_cycle.py",
    "tests/serving/batch/test_run.py",
    "tests/models/test_pyfunc_model.py",
    "tests/notebooks/test_notebooks.py",
    "tests/features/audit/test_public_datasets.py",
    "tests/behaviour/test_challengers.py",
    "tests/serving/inbox/test_kill_sweep.py",
    "tests/serving/inbox/test_kill.py",
)
"""Files that take longest. A worker has a file to itself: one of these begun last would leave the other worker idle."""

NOT_QUICK = (
    "subprocess",
    "nbclient",
    "nbformat",
    "mlflow",
    "features.audit",
    "features.panel.build",
    "features.simulate",
    "features.sources.loader",
    "serving.batch.run",
    "serving.worker",
    "tests.kit.bombs",
    "tests.kit.cases",
    "tests.kit.commands",
    "tests.kit.company",
    "tests.kit.fake_",
    "tests.kit.inside",
    "tests.kit.killing",
    "tests.kit.outbound_case",
    "tests.kit.running",
    "tests.kit.simulated",
    "training.backtest",
    "training.fit",
    "training.gates",
)
"""How the names of modules begin that start a process or a server, learn, or read a company."""
NOT_QUICK_FIXTURES = {"new_home", "new_registry", "postgres", "make_once"}

MakeOnce = Callable[[str, Callable[[Path], None]], Path]
"""Takes a name and what fills a folder; gives a copy of the folder of that name, filled by the first of all workers to ask."""
NewRegistry = Callable[[Path], "Settings"]
"""Takes a home."""
NewHome = Callable[..., "Home"]
"""Takes the models that are to be live: both where none are named."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file of `tests/` that is not a test is what a test starts or imports: it has no examples, and some run what they do at import."""
    if collection_path.suffix != ".py":
        return None
    if not collection_path.name.startswith("test_"):
        return True
    return True if config.option.markexpr == "quick" and starts_something(collection_path) else None


@functools.cache
def starts_something(path: Path) -> bool:
    """Whether a test file imports what starts a process or a server, learns, or reads a company; `from tests.kit import commands` too."""
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [
        f"{getattr(node, 'module', None) or ''}.{alias.name}".lstrip(".") for node in imports for alias in node.names
    ]
    return any(name.startswith(NOT_QUICK) for name in names)


def is_quick(item: pytest.Item) -> bool:
    """Whether `make test-quick` runs it."""
    marked = any(item.get_closest_marker(name) for name in ("slow", "spark", "both_databases"))
    return (
        not marked
        and not starts_something(item.path)
        and NOT_QUICK_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is marked `both_databases` runs once with its `store` on SQLite and once with it on Postgres."""
    if "store" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        from tests.kit.databases import DATABASES

        metafunc.parametrize("store", DATABASES, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "quick" in config.option.markexpr:  # it takes seconds to tell
        for item in items:
            if is_quick(item):
                item.add_marker(pytest.mark.quick)
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> MakeOnce:
    base = tmp_path_factory.getbasetemp()
    # The folder of all workers of this run.
    shared = base.parent if hasattr(request.config, "workerinput") else base

    def once(name: str, fill: Callable[[Path], None]) -> Path:
        made, done = shared / f"made-{name}", shared / f"made-{name}.done"
        with (shared / f"made-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(made, ignore_errors=True)
                fill(made)
                done.touch()
        return Path(shutil.copytree(made, tmp_path_factory.mktemp(name), dirs_exist_ok=True))

    return once


@pytest.fixture(scope="module")
def no_pictures() -> Iterator[None]:
    """Reports of this module have no pictures: they take longer than a small fit, and `test_report` draws all of them."""
    from training.report import pictures

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "PICTURES", {})
        yield


@pytest.fixture(scope="session")
def new_registry(make_once: MakeOnce) -> NewRegistry:
    """Settings of a home whose registry has its tables and nothing in them: MLflow takes two seconds to make these."""
    from features.kit.settings import Settings
    from models import registry

    def settings_of(home: Path) -> Settings:
        return Settings.from_env({"ACCOUNTSCORE_HOME": str(home)})

    def fill(made: Path) -> None:
        assert registry.by_alias(settings_of(made), "churn-risk", registry.CHAMPION) is None

    def new(home: Path) -> Settings:
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(make_once("registry", fill) / "mlflow.db", home / "mlflow.db")
        return settings_of(home)

    return new


@pytest.fixture(scope="session")
def new_home(make_once: MakeOnce) -> NewHome:
    """A home of one's own with every call: a copy of the one that the first of all workers to ask has made. Of its two models, those that
    are asked for are live."""
    from models.champion_pointer import folder
    from tests.kit.running import Home, make_home

    def fill(made: Path) -> None:
        make_home(made)

    def new(models: Sequence[str] | None = None) -> Home:
        made = make_once("home", fill)
        home = Home(made / "home", made / "company")
        for other in {"churn-risk", "lead-fit"} - set(models or ("churn-risk", "lead-fit")):
            shutil.rmtree(folder(home.path, other))
        return home

    return new


@pytest.fixture(scope="session")
def postgres() -> Iterator[NewDatabase]:
    """A real Postgres: gives the URL of a new, migrated database with every call."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError

    from serving.store.connect import open_store
    from serving.store.migrate import migrate
    from tests.kit import postgres as server_of

    # No test here is about power loss.
    with server_of.postgres(durable=False) as server:
        admin = create_engine(
            server.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )
        numbers = itertools.count()

        def make(name: str, template: str) -> str:
            try:
                connection = admin.connect()
            except OperationalError:
                server.see_that_it_runs()
                connection = admin.connect()
            with connection:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
            return server.url_of(name)

        store = open_store(make("migrated", "template0"))
        migrate(store)
        store.close()
        yield lambda template="migrated": make(f"store_{next(numbers)}", template)
        admin.dispose()


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A migrated store, empty: on SQLite in `tmp_path`, or on each database where a test is marked `both_databases`."""
    from serving.store.connect import open_store
    from tests.kit.databases import store_url

    opened = open_store(store_url(request, tmp_path))
    yield opened
    opened.close()
