"""Device kernels as text with holes, rendered for Metal or CUDA."""

from models.kernels.templates.forest import TARGETS, render_codes, render_masks, render_scores

__all__ = ["TARGETS", "render_codes", "render_masks", "render_scores"]
