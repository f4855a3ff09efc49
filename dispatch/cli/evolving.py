"""`dispatch evolve`."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightgbm
import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from dispatch.cli.outcome import note
from dispatch.datasets import SyntheticCity, offers_log
from dispatch.errors import InvalidInputError, Problem
from models import default_schema, read_log
from models.columns import RAW_COLUMNS
from models.features import build_matrix
from models.forest import Forest
from models.history import HistoryPrior
from models.kernels.evolve.build import Builder
from models.kernels.evolve.device import DeviceJudge
from models.kernels.evolve.genome import Genome, seed_of, tidied
from models.kernels.evolve.judge import Judge
from models.kernels.evolve.model_driven import rewrite as rewritten
from models.kernels.evolve.model_driven import settings
from models.kernels.evolve.report import REPORT, finish, machine, same_against_itself, tables
from models.kernels.evolve.search import (
    CANDIDATES,
    Judged,
    Ledger,
    archive_of,
    best_of,
    failures,
    search,
    starting,
)
from models.kernels.evolve.suite import Suite, Workload, make_suite

_PRIOR = HistoryPrior(4.0, 4.0)
_RUNS = "runs.jsonl"
_SEEDS = (
    seed_of("c"),
    tidied(Genome(algorithm="planes", block_rows=64)),
    tidied(Genome(algorithm="masks")),
    tidied(Genome(algorithm="walk")),
)


def run(
    folder: Path,
    *,
    candidates: int,
    minutes: float | None,
    seed: int,
    offers: int,
    rewrite: int | None,
    plot: Path | None,
    end: bool,
) -> None:
    """Search with a progress bar; draw, have rewritten and judge for good what was asked for."""
    if rewrite:
        with _refused("rewrite"):
            settings()
    with _refused("evolve"):
        builder = Builder(folder / "built")
    judge = Judge(_suite(folder / "suite", offers), builder)
    ledger = Ledger(folder / CANDIDATES)
    before = len(ledger)
    begun = starting(folder / f"start-{seed}.json", _SEEDS, ledger)
    _search(judge.judge, ledger, begun, candidates, seed, minutes)
    if rewrite:
        with _refused("rewrite"):
            note(f"OpenEvolve wrote to {rewritten(folder, rewrite)}")
        ledger = Ledger(folder / CANDIDATES)
    archive = archive_of(ledger)
    with _refused("candidates"):
        best = best_of(archive)
    note(f"{len(ledger)} judged, best exact one {best.fitness:.2f}x: {best.genome.digest}")
    if len(ledger) > before:
        _record(folder, judge, len(ledger))
    if plot is not None:
        from dispatch.plotting import archive_figure

        archive_figure(archive.values()).savefig(plot, dpi=150)
        note(f"archive drawn to {plot}")
    if end:
        with _refused("end"):
            report = finish(folder, judge, best.genome, progress=note)
        note(f"{'ships' if report['ships'] else 'does not ship'}; written to {folder / REPORT}")
    if (folder / REPORT).exists():
        typer.echo(tables(json.loads((folder / REPORT).read_text())))


def run_on_device(
    folder: Path, *, target: str, attention: bool, candidates: int, seed: int
) -> None:
    """Pass candidates for a device through the gates; nothing is timed that nothing ran on."""
    with _refused("target"):
        hand_written = seed_of(target, attention=attention)
        judge = DeviceJudge(folder / "built")
    ledger = Ledger(folder / f"{target}{'-attention' if attention else ''}.jsonl")
    _search(judge.judge, ledger, [hand_written], candidates, seed, None)
    for gate, n in failures(ledger).items():
        typer.echo(f"{n:5d} {f'rejected by {gate}' if gate else 'passed, untimed on this device'}")


@contextmanager
def _refused(option: str) -> Iterator[None]:
    """Turn what cannot be done here into a message."""
    try:
        yield
    except ValueError as error:
        raise InvalidInputError("evolve", [Problem(option, str(error))]) from None


def _search(
    judged: Judged,
    ledger: Ledger,
    seeds: Sequence[Genome],
    candidates: int,
    seed: int,
    minutes: float | None,
) -> None:
    stop_s = time.monotonic() + 60 * (minutes or 1e9)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("evolve", total=candidates)
        search(
            judged,
            ledger,
            seeds,
            candidates=candidates,
            seed=seed,
            until=lambda: time.monotonic() > stop_s,
            progress=lambda done, total, best: bar.update(
                task, completed=done, total=total, description=f"best {best:.2f}x"
            ),
        )


def _record(folder: Path, judge: Judge, judged: int) -> None:
    """Keep the machine and an A/A run beside what this call has judged."""
    same = same_against_itself(judge, judge.suite.searched)
    entry = {"judged": judged, "machine": machine(judge), "same": same}
    with (folder / _RUNS).open("a") as file:
        file.write(json.dumps(entry) + "\n")
    if same["void"]:
        note(f"not a quiet machine: {same['void']}")


def _suite(folder: Path, offers: int) -> Suite:
    try:
        return Suite(folder)
    except FileNotFoundError:
        note("growing three forests on synthetic cities, once")
    return make_suite(
        folder,
        [
            _workload("300x31", 1, offers, 300, 31, ("matrix", "list")),
            _workload("134x15", 2, offers // 3, 134, 15, ("matrix", "dense")),
        ],
        _workload("200x24", 3, offers // 2, 200, 24, ("matrix", "list", "dense")),
    )


def _workload(
    name: str, seed: int, offers: int, trees: int, leaves: int, kinds: tuple[str, ...]
) -> Workload:
    log = read_log(
        offers_log(SyntheticCity(seed=seed, n_couriers=400), offers)[0], tuple(RAW_COLUMNS)
    )
    schema = default_schema()
    matrix = build_matrix(dict(log.columns), schema, _PRIOR)
    data = lightgbm.Dataset(
        matrix,
        log.accepted.astype(float),
        feature_name=list(schema.names),
        categorical_feature=[spec.name for spec in schema.features if spec.dtype == "category"],
    )
    settings = {"objective": "binary", "num_leaves": leaves, "verbosity": -1, "num_threads": 2}
    booster = lightgbm.train(settings, data, num_boost_round=trees)
    told_by = {name: str(column.source) for name, column in RAW_COLUMNS.items()}
    told_by["trip_m"] = "pair"  # its metres depend on the courier's vehicle
    sources = [{told_by[name] for name in spec.inputs} for spec in schema.features]
    owner = [source.pop() if len(source) == 1 else "pair" for source in sources]
    owner = ["moment" if source == "context" else source for source in owner]
    rng = np.random.default_rng(seed)
    rows = matrix * (1.0 + 1e-9 * rng.standard_normal(matrix.shape))
    return Workload(name, Forest.from_lightgbm(booster.model_to_string()), rows, owner, kinds)
