"""Parts of the set packing engine: columns by courier, prices, local search, exact core."""
