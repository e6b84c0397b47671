"""Land use: how transitions, harvest and fire move carbon between the covers of a cell."""
