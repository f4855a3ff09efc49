"""Kernels found by search: a genome, gates before timing, paired times, an archive of kinds."""
