"""A min-cost flow of our own: warm restarts, courier prices, a proof with every answer.

Importing the package compiles nothing; its modules that need numba are imported where they are
used.
"""

from optimization.network.ready import is_ready, warm_up

__all__ = ["is_ready", "warm_up"]
