"""From an ensemble of parameters to ensembles of fluxes and pools, with all their uncertainty."""
