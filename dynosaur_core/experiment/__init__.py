"""The comparison of replay strategies: a model trained in stages, one run for each strategy and seed."""
