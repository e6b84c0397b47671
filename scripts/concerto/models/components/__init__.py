"""Components: the exchangeable parts of a model, each the answer to one question (its role).

=================  ====================================================================
role               function
=================  ====================================================================
``photosynthesis``  ``gpp(lai, p, w)`` -> gross primary production, gC m-2 d-1
``phenology``       ``rates(p, w)`` -> daily rates (d-1) of labile release and leaf fall
``decay``           ``warmth(p, w)`` -> factor of the rates of litter and soil decay
=================  ====================================================================

``p`` has the parameters as attributes, ``w`` the drivers and the calendar. A component names the
drivers that it needs in ``DRIVERS``; ``config/models/components`` has a file of its name with its
role and its own parameters.
"""
