"""Candidates for Metal and CUDA pass or fail the same gates, in the harness that runs them here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from models.kernels.evolve.device import DeviceJudge, plan_of
from models.kernels.evolve.genome import seed_of
from models.kernels.evolve.render import RenderError

FOREST, ATTENTION = seed_of("metal"), seed_of("metal", attention=True)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> DeviceJudge:
    try:
        return DeviceJudge(tmp_path_factory.mktemp("device"))
    except RenderError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    "genome",
    [
        FOREST,
        pytest.param(replace(seed_of("cuda"), entities="none", threads=64), marks=pytest.mark.slow),
    ],
    ids=["metal", "cuda"],
)
def test_forests_on_devices_are_exact(judge: DeviceJudge, genome: object) -> None:
    outcome = judge.judge(genome)  # type: ignore[arg-type]
    assert (outcome.gate, outcome.error_class) == ("", "exact"), outcome.reason
    assert outcome.seconds == {}  # untimed on this device


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param(
            {"heads_per_load": 1, "vector_width": 4, "keys_at_once": 4, "block_rows": 2},
            marks=pytest.mark.slow,
        ),
        pytest.param({"target": "cuda", "passes": 2, "heads_per_load": 2}, marks=pytest.mark.slow),
    ],
    ids=["hand-written", "one head a load", "two passes"],
)
def test_attention_of_every_plan_is_right_with_a_cache(
    judge: DeviceJudge, changes: dict[str, object]
) -> None:
    outcome = judge.judge(replace(ATTENTION, **changes))  # type: ignore[arg-type]
    assert outcome.gate == "", outcome.reason
    assert outcome.error_class in ("1e-6", "1e-5")


def test_values_added_up_in_half_precision_are_rejected(judge: DeviceJudge) -> None:
    assert judge.judge(replace(ATTENTION, accumulate="float16")).gate == "reference"


def test_a_free_block_on_a_device_goes_through_the_same_gates(judge: DeviceJudge) -> None:
    loop = (
        "for (uint32_t d = 0; d < DIM; ++d) "
        "part[0] += query[own * DIM + d] * tile[lane * STRIDE + d];"
    )
    assert judge.judge(replace(ATTENTION, free=loop)).gate == ""
    assert (
        judge.judge(replace(ATTENTION, free=loop.replace("d < DIM", "d + 1 < DIM"))).gate
        == "reference"
    )
    assert (
        judge.judge(replace(ATTENTION, free=loop.replace("STRIDE + d", "40000u + d"))).gate
        == "harness"
    )
    assert judge.judge(replace(ATTENTION, free="#define DIM 3")).gate == "renders"


def test_a_candidate_whose_source_never_reaches_the_device_is_caught(
    judge: DeviceJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shift that only this candidate's source asks for does not come back."""
    import models.kernels.evolve.device as module

    monkeypatch.setattr(module, "_shift", lambda _genome: str)
    assert judge.judge(FOREST).gate == "canary"


def test_a_genome_says_what_it_asks_of_the_kernel() -> None:
    plan = plan_of(replace(ATTENTION, passes=2, keys_at_once=8))
    assert (plan.passes, plan.keys, plan.total) == (2, 8, "float32")


def test_the_harness_is_said_to_be_missing_outside_a_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import models.kernels.evolve.device as module

    monkeypatch.setattr(module, "HARNESS", tmp_path / "none.py")
    with pytest.raises(RenderError, match="needs a checkout"):
        module.load_harness()
    assert isinstance(module, ModuleType)
