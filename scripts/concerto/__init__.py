"""The library behind the workflow's rules: from raw records to carbon fluxes with uncertainty."""
