"""The twin Earth: a synthetic world with a known truth, and the files its agencies would deliver."""
