"""Data assimilation: prior and observations into an ensemble of parameters, with a verdict."""
