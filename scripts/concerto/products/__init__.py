"""What a run publishes: NetCDF, budget tables and the report."""
