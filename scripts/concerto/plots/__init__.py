"""Figures: one module each, all in the style of :mod:`concerto.plots.style`."""
