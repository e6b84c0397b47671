"""How good the predictions of withheld observations are, beside simple baselines."""
