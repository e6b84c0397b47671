"""From records of one site to daily drivers, observations with uncertainty, and land properties."""
