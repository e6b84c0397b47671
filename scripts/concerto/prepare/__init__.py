"""From records of one site to daily or monthly drivers, observations with uncertainty, and land."""
