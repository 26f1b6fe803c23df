"""Held-out tasks of others and of our own: what models are measured on, and what training data may not overlap with."""

SUPERNI = "superni"
"""Name of the suite that lies where the setting evaluation.superni says."""
