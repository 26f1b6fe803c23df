"""Continual learning on a dataset that grows: what the next stage trains on, what of the earlier ones it replays."""
