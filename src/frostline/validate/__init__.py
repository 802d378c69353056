"""Evidence: records brought beside a truth, scored, with intervals, as rows of `scores.json`."""
