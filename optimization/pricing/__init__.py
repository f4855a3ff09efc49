"""Prices on orders: exact courier subproblems, dual ascent, local improvement and the core."""

from optimization.pricing.blocks import Blocks, blocks_of

__all__ = ["Blocks", "blocks_of"]
