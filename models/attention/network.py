"""The network of the set scorer: one layer in which orders on offer attend to their moment.

Offers and stops become `width` numbers each; every offer attends to all of its moment, itself
included; what it is and what it found make the log-odds. Queries share key and value heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.attention.params import SetParams
from models.kernels.attention import attend_by_operations, attention_launch
from models.kernels.launch import Execute
from models.scoring.mlx import device, launcher

Weights = Mapping[str, NDArray[np.float32]]
Attend = Callable[..., Any]
"""Takes q, k, v and lengths as `models.kernels.attention` describes, and `scale` and `causal`."""


def shapes(params: SetParams, token_width: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights, in the order they are saved in."""
    queries, keys = params.heads * params.head_width, params.shared_heads * params.head_width
    return {
        "embed": (token_width, params.width),
        "embed_bias": (params.width,),
        "query": (params.width, queries),
        "key": (params.width, keys),
        "value": (params.width, keys),
        "hidden": (params.width + queries, params.hidden),
        "hidden_bias": (params.hidden,),
        "out": (params.hidden, 1),
        "out_bias": (1,),
    }


def initial(params: SetParams, token_width: int, rng: np.random.Generator) -> Weights:
    """Draw weights by He et al. (2015); what the last layer adds begins at zero."""
    return {
        name: (rng.normal(size=shape) * (0.0 if "bias" in name or name == "out" else 1.0)
               * np.sqrt(2.0 / shape[0])).astype(np.float32)
        for name, shape in shapes(params, token_width).items()
    }  # fmt: skip


def logits(
    mx: ModuleType,
    weights: Mapping[str, Any],
    tokens: Any,
    lengths: NDArray[np.int64],
    n_offers: int,
    params: SetParams,
    attend: Attend,
) -> Any:
    """Log-odds (b, n_offers) of the first tokens of each moment.

    `tokens` (b, n, w) has zeros behind the `lengths` (b,) of the moments; log-odds of places that
    hold no offer mean nothing.
    """
    x = mx.maximum(tokens @ weights["embed"] + weights["embed_bias"], 0.0)

    def heads(rows: Any, name: str) -> Any:
        found = rows @ weights[name]
        return found.reshape(*rows.shape[:2], -1, params.head_width).swapaxes(1, 2)

    offers = x[:, :n_offers]
    seen = attend(
        heads(offers, "query"),
        heads(x, "key"),
        heads(x, "value"),
        lengths.astype(np.uint32),
        scale=params.head_width**-0.5,
        causal=False,
    )
    seen = seen.swapaxes(1, 2).reshape(*offers.shape[:2], -1)
    both = mx.concatenate([offers, seen], axis=-1)
    hidden = mx.maximum(both @ weights["hidden"] + weights["hidden_bias"], 0.0)
    return (hidden @ weights["out"] + weights["out_bias"]).squeeze(-1)


def attend_in(mx: ModuleType) -> Attend:
    """Return attention in MLX's operations, which gradients pass through."""
    return partial(attend_by_operations, mx)


def attend_here(mx: ModuleType) -> Attend:
    """Return the attention kernel of this machine's device, or MLX's operations where none runs."""
    target = device(mx)
    return attend_in(mx) if target == "cpu" else attend_with(launcher(mx), target)


def attend_with(execute: Execute, target: str) -> Attend:
    """Return the attention kernel of a device as launches that `execute` runs."""
    launch = partial(attention_launch, target=target)
    return lambda *given, **options: execute(launch(*given, **options))
