"""The `dispatch` command."""

from dispatch.cli.app import main

__all__ = ["main"]
