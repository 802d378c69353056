"""Measurements: each file prints its figures beside their goal or anchor, from one run."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a thread that waits and spins would count as CPU seconds
