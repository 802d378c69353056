"""Measurements: each file prints its figures beside their goal or anchor, from one run."""
