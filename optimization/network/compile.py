"""Names that moved to `optimization.compiled`."""

from optimization.compiled import compiled
from optimization.compiled import compiler_present as available

__all__ = ["available", "compiled"]
