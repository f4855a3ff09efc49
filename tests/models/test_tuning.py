"""The search is seeded, shows progress and never ends worse than it began."""

from __future__ import annotations

from typing import Any

from models import AcceptanceParams, tune


def test_the_search_repeats_and_its_best_is_no_worse_than_the_start(
    world: Any, quick_params: AcceptanceParams
) -> None:
    log, steps = world.log.head(3000), []
    found = tune(log, quick_params, trials=3, seed=5, progress=lambda k, n: steps.append((k, n)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    losses = [trial.log_loss for trial in found]
    assert losses == sorted(losses)
    start = next(trial for trial in found if trial.params == quick_params)
    assert found[0].log_loss <= start.log_loss
    assert tune(log, quick_params, trials=3, seed=5) == found
    assert tune(log, quick_params, trials=3, seed=6) != found
