"""The verbs of the `dispatch` command; each imports what it needs only when it runs."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dispatch.cli import model as model_verbs
from dispatch.cli.options import (
    SAMPLE_SEED,
    SOURCE_HELP,
    AcceptanceRate,
    ConfigFile,
    CouriersFile,
    DeadlineMs,
    Fairness,
    JsonFlag,
    LenientFlag,
    MappingFile,
    Method,
    ModelDir,
    ReportFile,
    Seed,
    SnapshotPath,
    SourceText,
)
from dispatch.cli.outcome import EXIT_CODES, guarded

app = typer.Typer(
    name="dispatch",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Last-mile courier dispatch: from a snapshot of orders and couriers to a verified plan.",
    epilog=f"Exit codes: {EXIT_CODES}. Results on stdout, messages on stderr.",
)


app.add_typer(model_verbs.app, name="model")


@app.command()
@guarded
def train(
    offers: Annotated[
        Path, typer.Argument(help="Offers log: CSV, CSV.gz, Parquet, or a folder of Meituan's.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the model to.")],
    mapping: MappingFile = None,
    params: Annotated[
        Path | None,
        typer.Option(help="TOML of training parameters, e.g. refused, propensity_weights."),
    ] = None,
    tune: Annotated[
        int, typer.Option(min=0, max=1000, help="Parameters to try first; 0: the defaults.")
    ] = 0,
    seed: Seed = 0,
    as_json: JsonFlag = False,
) -> None:
    """Train and calibrate the acceptance model on an offers log."""
    import_module("dispatch.cli.training").run(
        offers,
        out,
        mapping=mapping,
        settings=params,
        trials=tune,
        seed=seed,
        as_json=as_json,
    )


@app.command()
@guarded
def assign(
    snapshot: SnapshotPath,
    model: ModelDir,
    config: ConfigFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the plan as JSON to a file.")
    ] = None,
    geojson: Annotated[Path | None, typer.Option(help="Write the routes as GeoJSON.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Operating point by weights, e.g. acceptance=1,delivery_time=0.02,fairness=0.1."
        ),
    ] = None,
    bound: Annotated[
        str | None,
        typer.Option(
            help="Operating point by a bound: acceptance>=40, delivery_time<=900 (minutes), "
            "fairness<=120."
        ),
    ] = None,
    knee: Annotated[bool, typer.Option("--knee", help="Operate at the frontier's knee.")] = False,
    frontier: Annotated[bool, typer.Option("--frontier", help="Trace the frontier too.")] = False,
    method: Method = None,
    fairness: Fairness = None,
    deadline_ms: DeadlineMs = None,
    lenient: LenientFlag = False,
    as_json: JsonFlag = False,
    timings: Annotated[
        bool,
        typer.Option(
            "--timings/--no-timings", help="Without: the same input gives the same bytes."
        ),
    ] = True,
) -> None:
    """Dispatch a snapshot and print the plan."""
    asked = import_module("dispatch.cli.points")
    import_module("dispatch.cli.assigning").run(
        snapshot,
        model,
        config=config,
        out=out,
        geojson=geojson,
        point=asked.parse_point(weights, bound, knee),
        frontier=frontier,
        method=asked.parse_method(method),
        fairness=asked.parse_fairness(fairness),
        deadline_ms=deadline_ms,
        lenient=lenient,
        as_json=as_json,
        timings=timings,
    )


@app.command()
@guarded
def frontier(
    snapshot: SnapshotPath,
    model: ModelDir,
    config: ConfigFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the points: .csv or .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the frontier as a .png.")] = None,
    points: Annotated[
        int | None,
        typer.Option(min=3, max=1001, help="Weights to try; or points to stop an exact one at."),
    ] = None,
    method: Method = None,
    fairness: Fairness = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Folder for an exact frontier's pieces: given again, it goes on there."),
    ] = None,
    deadline_ms: DeadlineMs = None,
    lenient: LenientFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Trace the plans from the most efficient to the fairest."""
    asked = import_module("dispatch.cli.points")
    import_module("dispatch.cli.sweeping").run(
        snapshot,
        model,
        config=config,
        out=out,
        plot=plot,
        points=points,
        method=asked.parse_method(method),
        fairness=asked.parse_fairness(fairness),
        resume=resume,
        deadline_ms=deadline_ms,
        lenient=lenient,
        as_json=as_json,
    )


@app.command()
@guarded
def why(
    plan: Annotated[str, typer.Argument(help="A plan as JSON (from assign --out), or -.")],
    order: Annotated[str, typer.Argument(help="The order asked about.")],
    courier: Annotated[str | None, typer.Argument(help="A courier: why not this one?")] = None,
) -> None:
    """Explain why an order was, or was not, offered to a courier."""
    import_module("dispatch.cli.asking").run(plan, order, courier)


@app.command()
@guarded
def serve(
    model: ModelDir,
    config: ConfigFile = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve POST /assign and POST /frontier over HTTP."""
    import_module("dispatch.cli.serving").run(model, config, host, port)


@app.command()
@guarded
def sample(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    seed: Seed = SAMPLE_SEED,
    offers: Annotated[int, typer.Option(min=100, max=2_000_000, help="Rows of the log.")] = 20_000,
) -> None:
    """Write the sample city: a snapshot, an offers log, and the truth behind it."""
    import_module("dispatch.cli.samples").write(out, seed, offers)


@app.command()
@guarded
def convert(
    layout: Annotated[str, typer.Argument(metavar="FORMAT", help="grubhub or colombia.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the instance or city-day.")],
    out: Annotated[str, typer.Option("--out", "-o", help="A .json file, a folder, or -.")] = "-",
    at: Annotated[str, typer.Option(help="Minute of the day (or HH:MM), or busiest.")] = "busiest",
    waiting_minutes: Annotated[
        int, typer.Option(min=1, max=240, help="Orders placed this long ago still wait.")
    ] = 10,
) -> None:
    """Turn a minute of a public instance into a snapshot."""
    import_module("dispatch.cli.samples").convert(layout, folder, out, at, waiting_minutes)


@app.command()
@guarded
def simulate(
    source: SourceText,
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="A policy by name, or its TOML.")
    ] = "default",
    couriers: CouriersFile = None,
    acceptance: AcceptanceRate = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the run.")] = None,
    report: ReportFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Live through a day with a policy: rolling horizon, couriers who answer."""
    import_module("dispatch.cli.simulating").simulate(
        source,
        policy=policy,
        couriers=couriers,
        acceptance=acceptance,
        seed=seed,
        out=out,
        report=report,
        as_json=as_json,
    )


@app.command()
@guarded
def compare(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help=SOURCE_HELP)],
    policies: Annotated[
        list[str],
        typer.Option("--policy", "-p", help="Policies by name or TOML; others less the first."),
    ],
    couriers: CouriersFile = None,
    acceptance: AcceptanceRate = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="Of each source; a synthetic day each.")
    ] = 5,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of all runs.")] = None,
    report: ReportFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare policies on the same days, couriers and seeds."""
    import_module("dispatch.cli.simulating").compare_policies(
        sources,
        policies=policies,
        couriers=couriers,
        acceptance=acceptance,
        seeds=seeds,
        out=out,
        report=report,
        as_json=as_json,
    )


@app.command()
@guarded
def replay(
    folder: Annotated[Path, typer.Argument(help="A run, from simulate --out.")],
    other: Annotated[
        Path | None, typer.Argument(help="Compare with this run; without: run it again.")
    ] = None,
) -> None:
    """Run a run again, or compare two runs: the first event and every metric that differ."""
    import_module("dispatch.cli.simulating").replay(folder, other)


@app.command()
@guarded
def evolve(
    folder: Annotated[Path, typer.Argument(help="Folder of the search: given again, it goes on.")],
    candidates: Annotated[
        int, typer.Option(min=1, help="Kernels to judge, those judged before included.")
    ] = 200,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after this long; call again to go on.")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Of the search; another one begins with the best on record."),
    ] = 0,
    offers: Annotated[
        int, typer.Option(min=1000, help="Offers that the largest forest is grown on.")
    ] = 60_000,
    target: Annotated[
        str, typer.Option(help="c; or metal, cuda: gates only, run by the harness of the tests.")
    ] = "c",
    attention: Annotated[
        bool, typer.Option("--attention", help="On metal and cuda: the attention kernel.")
    ] = False,
    rewrite: Annotated[
        int | None,
        typer.Option(min=1, help="Ask a language model for this many rewrites of the free block."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the archive as a .png.")] = None,
    end: Annotated[
        bool, typer.Option("--end", help="Judge the winner on what was held out, once.")
    ] = False,
) -> None:
    """Search for faster kernels: gates first, then paired times (needs a checkout)."""
    verb = import_module("dispatch.cli.evolving")
    if target != "c":
        verb.run_on_device(
            folder, target=target, attention=attention, candidates=candidates, seed=seed
        )
        return
    verb.run(
        folder,
        candidates=candidates,
        minutes=minutes,
        seed=seed,
        offers=offers,
        rewrite=rewrite,
        plot=plot,
        end=end,
    )


@app.command()
@guarded
def schema() -> None:
    """Print the JSON Schema of a snapshot."""
    import_module("dispatch.cli.versions").print_schema()


@app.command()
@guarded
def versions(as_json: JsonFlag = False) -> None:
    """Show versions, solver engines and the active scoring backend."""
    import_module("dispatch.cli.versions").run(as_json=as_json)


def main() -> None:
    """Run the command line."""
    app()
