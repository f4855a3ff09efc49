"""A language model rewrites the free block: OpenEvolve proposes, our gates and our clock decide.

OpenEvolve (`openevolve` on PyPI, extra `evolve`) asks an OpenAI-compatible endpoint for changes.
What comes back is compiled and run: in a child that is killed when it hangs, but not in a sandbox.
Run this in a container.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from models.kernels.evolve.build import Builder
from models.kernels.evolve.genome import Genome
from models.kernels.evolve.judge import Judge, Outcome
from models.kernels.evolve.render import free_block
from models.kernels.evolve.search import CANDIDATES, Ledger
from models.kernels.evolve.suite import Suite
from models.kernels.evolve.timing import speedups

ENDPOINT, KEY, MODEL = "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"
BEGINS, ENDS = "/* EVOLVE-BLOCK-START */", "/* EVOLVE-BLOCK-END */"

_MESSAGE: Final = (
    "You make the body of a C function faster: void run_ops(const uint8_t *slot, "
    "const uint64_t *op, int32_t n, Plane *result). Plane is a struct of Word part[PARTS]; "
    "multiplex(select, zero, one) chooses bit by bit; AT(i) is the plane of slot i of *op; "
    "UNROLLED(k) unrolls the next loop. Vector extensions and x86 intrinsics are there. Not "
    "allowed: static, extern, goto, asm, the preprocessor. Answer with the whole body between the "
    "marks."
)
_EVALUATOR: Final = """from models.kernels.evolve.model_driven import evaluate_file

def evaluate(program_path):
    return evaluate_file(program_path, {folder!r})
"""


class EndpointError(ValueError):
    """No endpoint is named, or OpenEvolve is not installed."""


def settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Endpoint, key and model, from the environment and nowhere else.

    Raises
    ------
    EndpointError
        Naming every variable that is missing.
    """
    lacking = [name for name in (ENDPOINT, KEY, MODEL) if not environment.get(name)]
    if lacking:
        raise EndpointError(f"set {', '.join(lacking)}: an OpenAI-compatible endpoint is asked")
    return {
        "api_base": environment[ENDPOINT],
        "api_key": environment[KEY],
        "name": environment[MODEL],
    }


def rewrite(folder: Path, iterations: int, environment: Mapping[str, str] = os.environ) -> Path:
    """Let OpenEvolve rewrite the free block of the hand-written kernel.

    Every proposal goes through `Judge.judge` and into the same ledger as the search's.

    Parameters
    ----------
    folder
        A search's folder: its suite is used.
    iterations
        Proposals.

    Returns
    -------
    Path
        Folder of OpenEvolve's own output.

    Raises
    ------
    EndpointError
        If OpenEvolve or the endpoint is missing.
    """
    chosen = settings(environment)
    try:
        openevolve = importlib.import_module("openevolve")
        config_of = importlib.import_module("openevolve.config")
    except ImportError:
        raise EndpointError(
            "OpenEvolve is missing: pip install 'courier-dispatch[evolve]'"
        ) from None
    config = config_of.Config()
    config.llm.models = [
        config_of.LLMModelConfig(
            **chosen, temperature=0.7, max_tokens=4096, timeout=120, retries=1, retry_delay=1
        )
    ]
    config.llm.evaluator_models = list(config.llm.models)
    config.language, config.file_suffix = "c", ".c"
    config.prompt.system_message = _MESSAGE
    config.diff_based_evolution = False
    config.evaluator.cascade_evaluation = False
    # One at a time, or they would disturb each other's clocks.
    config.evaluator.parallel_evaluations = 1
    config.evaluator.max_retries = 0
    config.evaluator.timeout = 600
    # Not its own axes: how long the code is says nothing about a kernel.
    config.database.feature_dimensions = ["rejected"]
    config.database.num_islands = 1
    output, work = folder / "openevolve", folder / "openevolve-input"
    work.mkdir(parents=True, exist_ok=True)
    program, evaluator = work / "free_block.c", work / "evaluator.py"
    program.write_text(f"{BEGINS}\n{free_block()}{ENDS}\n")
    evaluator.write_text(_EVALUATOR.format(folder=str(folder.resolve())))
    openevolve.run_evolution(
        str(program),
        str(evaluator),
        config,
        iterations=iterations,
        output_dir=str(output),
        cleanup=False,
    )
    return output


def evaluate_file(program: str, folder: str) -> dict[str, float]:
    """Judge a program of OpenEvolve's: `combined_score` is the speed-up, 0 for the rejected."""
    text = Path(program).read_text()
    if BEGINS in text and ENDS in text:
        text = text.split(BEGINS)[1].split(ENDS)[0]
    free = "" if text.strip() == free_block().strip() else text
    outcome = judged(Path(folder), replace(Genome(), free=free))
    rejected = float(not outcome.passed)
    score = speedups(outcome.seconds).mean if outcome.passed else 0.0
    return {"combined_score": score, "rejected": rejected}


def judged(folder: Path, genome: Genome) -> Outcome:
    """Judge a genome on a search's suite and write it down, or read what was written."""
    ledger = Ledger(folder / CANDIDATES)
    outcome = ledger.get(genome)
    if outcome is None:
        judge = Judge(Suite(folder / "suite"), Builder(folder / "built"))
        outcome = judge.judge(genome)
        ledger.add(genome, outcome)
    return outcome
