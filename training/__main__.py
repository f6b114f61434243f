"""`python -m training`: make a model, judge it, compare and replay it, put a version live, watch it, take it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from features.kit.cli import run
from features.kit.clock import parse_seen
from features.kit.errors import UserMistake
from features.kit.progress import progress
from training.errors import LOOK, NOTHING_LIVE

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

ModelArgument = Annotated[str, typer.Argument(help="A model's name, such as churn-risk, lead-fit or expansion.")]
SourceOption = Annotated[
    str, typer.Option(help="A shipped source (sample, ravenstack, x_education) or a folder of <table>.sql.")
]
DataOption = Annotated[
    Path | None, typer.Option(help="The folder of the source's files; ${data} in its SELECTs is this path.")
]
CountedOption = Annotated[
    str | None,
    typer.Option(
        "--source",
        help="Where it is counted whom another live model of its outcome is for too; default the source that it was trained on.",
        show_default=False,
    ),
]
SinceOption = Annotated[str | None, typer.Option(help="Use observation dates from this date on.")]
EngineOption = Annotated[str, typer.Option(help="duckdb, pandas or spark")]
BudgetOption = Annotated[
    float, typer.Option(help="Seconds that the search may take at most; it ends earlier when it stops gaining.")
]
TrialsOption = Annotated[
    int | None, typer.Option(help="Number of trials instead of time: same data and seed, same model, bit for bit.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of everything random.")]
CapacityOption = Annotated[
    str | None,
    typer.Option(
        "--capacity",
        help="What people can act upon: a share (0.1, 10%), or '40 per day'; default from the model's file.",
        show_default=False,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A signal to leave out, beside those that the model's file excludes; give it once for each.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="The whole report as one line of JSON on stdout.")]
BriefOption = Annotated[bool, typer.Option("--brief", help="Three lines in place of the tables of figures and gates.")]


@app.command()
def fit(
    model: ModelArgument,
    source: SourceOption,
    data: DataOption = None,
    budget: BudgetOption = 120.0,
    trials: TrialsOption = None,
    seed: SeedOption = 0,
    since: SinceOption = None,
    capacity: CapacityOption = None,
    engine: EngineOption = "duckdb",
    exclude: ExcludeOption = None,
    brief: BriefOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train, judge and register a model; it becomes champion when its gates hold.

    The verdict, the gates and the figures go to stderr. Exit code 3 when it does not go live.
    """
    _fit(model, source, data, budget, trials, seed, since, capacity, engine, as_json, exclude, brief)


@app.command()
def tune(
    model: ModelArgument,
    source: SourceOption,
    data: DataOption = None,
    budget: Annotated[float, typer.Option(help="Seconds that the search takes.")] = 900.0,
    seed: SeedOption = 0,
    since: SinceOption = None,
    capacity: CapacityOption = None,
    engine: EngineOption = "duckdb",
    exclude: ExcludeOption = None,
    brief: BriefOption = False,
    as_json: JsonOption = False,
) -> None:
    """As fit, but search on to the end of the budget: longer on purpose. Exit code 3 when it does not go live."""
    _fit(model, source, data, budget, None, seed, since, capacity, engine, as_json, exclude, brief, thorough=True)


def _fit(
    model: str,
    source: str,
    data: Path | None,
    budget: float,
    trials: int | None,
    seed: int,
    since: str | None,
    capacity: str | None,
    engine: str,
    as_json: bool,
    exclude: list[str] | None,
    brief: bool,
    thorough: bool = False,
) -> None:
    from training.console import learnt, learnt_in_brief
    from training.fit import fit_source

    _check(budget, trials, capacity)
    first = parse_seen(since, "--since") if since else None
    with progress() as tell:
        report = fit_source(
            model,
            source,
            data,
            budget_s=budget,
            trials=trials,
            seed=seed,
            since=first,
            capacity=capacity,
            engine=engine,
            thorough=thorough,
            exclude=exclude or (),
            progress=tell,
        )
    (learnt_in_brief if brief else learnt)(report)
    _end(report, as_json, NOTHING_LIVE if not report["promoted"] else 0)


@app.command("fit-table")
def fit_table(
    train: Annotated[Path, typer.Argument(help="A .parquet or .csv file with one row per lead or account.")],
    label: Annotated[str, typer.Option(help="The column that holds the outcome: two values.")],
    out: Annotated[Path, typer.Option(help="The scorer's folder; must not exist.")],
    time: Annotated[str | None, typer.Option(help="A column of dates or numbers that grow with time.")] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            help="Days within which the outcome counts: the gap between what is learnt from and what judges. Without it the "
            "verdict is at best 'ready, if no two rows overlap'.",
            show_default=False,
        ),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            help="The value of the label that is the outcome; the one that says yes, else the rarer one, when not given.",
            show_default=False,
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id", help="The column that names whom a row is about; found when not given.", show_default=False
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="A column whose equal values stay on one side of every split.")
    ] = None,
    budget: BudgetOption = 120.0,
    trials: TrialsOption = None,
    seed: SeedOption = 0,
    entity: Annotated[str, typer.Option(help="What a row is: account or lead.")] = "lead",
    segment: Annotated[
        list[str] | None, typer.Option(help="A column of few words by which quality is judged apart; may be repeated.")
    ] = None,
    known_before: Annotated[
        list[str] | None,
        typer.Option(
            help="A column that is filled in before the outcome, though the audit doubts it; may be repeated.",
            show_default=False,
        ),
    ] = None,
    capacity: CapacityOption = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a CSV that is neither UTF-8 nor UTF-16.", show_default="cp1252")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from a flat table and write a judged scorer, its verdict inside.

    The verdict, the gates and the figures go to stderr. Exit code 3 when the verdict is that the scorer is not for use.
    """
    from training.console import learnt
    from training.fit_table import fit_table as learn_table

    _check(budget, trials, capacity)
    with progress() as tell:
        report = learn_table(
            train,
            label,
            out,
            time=time,
            group=group,
            budget_s=budget,
            trials=trials,
            seed=seed,
            entity=entity,
            segments=segment or (),
            horizon_days=horizon,
            outcome=outcome,
            id_column=id_column,
            known_before=known_before or (),
            capacity=capacity,
            encoding=encoding,
            progress=tell,
        )
    learnt(report)
    _end(report, as_json, NOTHING_LIVE if not report["ready"] else 0)


@app.command()
def promote(
    model: ModelArgument,
    version: Annotated[int | None, typer.Option(help="The newest when not given.")] = None,
    source: CountedOption = None,
    data: DataOption = None,
) -> None:
    """Make a version champion if its gates held and no other live model of its outcome is for the same; exit code 3 when not."""
    from features.kit.settings import Settings
    from training.promote import promote as put_live

    print(json.dumps(put_live(Settings.from_env(), model, version, source, data), indent=2))


@app.command()
def compare(
    model: ModelArgument,
    source: SourceOption,
    data: DataOption = None,
    version: Annotated[int | None, typer.Option(help="The challenger, or the newest, when not given.")] = None,
    against: Annotated[int | None, typer.Option(help="The champion when not given.")] = None,
    since: SinceOption = None,
    capacity: CapacityOption = None,
    engine: EngineOption = "duckdb",
    as_json: JsonOption = False,
) -> None:
    """Two versions on the same rows that neither learnt from: differences with intervals, on stderr."""
    from features.kit.settings import Settings
    from training.compare import compare as put_beside
    from training.console import comparison

    _check(1.0, None, capacity)
    with progress() as tell:
        report = put_beside(
            Settings.from_env(),
            model,
            source,
            data,
            version=version,
            against=against,
            since=parse_seen(since, "--since") if since else None,
            capacity=capacity,
            engine=engine,
            progress=tell,
        )
    comparison(report)
    _end(report, as_json)


@app.command()
def backtest(
    model: ModelArgument,
    source: SourceOption,
    data: DataOption = None,
    months: Annotated[int, typer.Option(min=1, max=60, help="Moments to replay, 28 days apart.")] = 6,
    trials: Annotated[int, typer.Option(min=1, help="Trials of the search at each moment.")] = 4,
    seed: SeedOption = 0,
    since: SinceOption = None,
    capacity: CapacityOption = None,
    engine: EngineOption = "duckdb",
    as_json: JsonOption = False,
) -> None:
    """Had this been live at each of the last six months: what would the list have caught? The answer goes to stderr."""
    from features.kit.settings import Settings
    from training.backtest import backtest as replay
    from training.console import replayed

    _check(1.0, None, capacity)
    with progress() as tell:
        report = replay(
            model,
            source,
            data,
            months=months,
            trials=trials,
            seed=seed,
            since=parse_seen(since, "--since") if since else None,
            capacity=capacity,
            engine=engine,
            settings=Settings.from_env(),
            progress=tell,
        )
    replayed(report)
    _end(report, as_json)


@app.command()
def monitor(
    model: ModelArgument,
    source: SourceOption,
    as_of: Annotated[str, typer.Option(help="The moment to look at: YYYY-MM-DD or an ISO 8601 time.")],
    data: DataOption = None,
    version: Annotated[int | None, typer.Option(help="The champion when not given.")] = None,
    capacity: CapacityOption = None,
    holdout: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Share that nobody acts upon; default from the model's file.", show_default=False
        ),
    ] = None,
    engine: EngineOption = "duckdb",
    as_json: JsonOption = False,
) -> None:
    """Watch a live model: drift, observed against expected outcomes, and estimated quality, on stderr.

    Exit code 4 when someone should look.
    """
    from features.kit.settings import Settings
    from training.monitor.console import watched
    from training.monitor.run import monitor as look_at

    _check(1.0, None, capacity)
    with progress() as tell:
        report = look_at(
            Settings.from_env(),
            model,
            source,
            parse_seen(as_of),
            data,
            version=version,
            capacity=capacity,
            holdout=holdout,
            engine=engine,
            progress=tell,
        )
    watched(report)
    _end(report, as_json, LOOK if report["why"] else 0)


@app.command()
def rollback(model: ModelArgument, source: CountedOption = None, data: DataOption = None) -> None:
    """Make the previous champion champion again."""
    from features.kit.settings import Settings
    from training.promote import rollback as take_back

    print(json.dumps(take_back(Settings.from_env(), model, source, data), indent=2))


def _check(budget: float, trials: int | None, capacity: str | None) -> None:
    if not budget > 0:
        raise UserMistake(f"--budget {budget} is not above 0: give seconds")
    if trials is not None and trials < 1:
        raise UserMistake(f"--trials {trials} is below 1")
    if capacity is not None:
        from training.capacity import parse

        parse(capacity)


def _end(report: dict[str, object], as_json: bool, exit_code: int = 0) -> None:
    """The report for machines when they asked for it, then the exit code."""
    if as_json:
        typer.echo(json.dumps(report))
    if exit_code:
        raise typer.Exit(exit_code)


def main() -> None:
    """The door's entry point."""
    run(app)


if __name__ == "__main__":
    main()
