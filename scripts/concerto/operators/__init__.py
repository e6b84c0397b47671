"""Observation operators: from a model's outputs to what an instrument or a product reports.

Each module is one observable. It names the model outputs that it needs (``OUTPUTS``), parameters of
its own that are estimated with the model's (``PARAMETERS``, described in ``config/operators``), the
drivers that it looks at and the unit it wants of them (``DRIVERS``) and the unit of its result
(``UNIT``), and computes it:
``observe(o, p, w)`` with outputs, parameters and drivers as attributes. It becomes one more output
of every model that has what it needs, and is differentiated with it.

An observable that is not in :mod:`concerto.domain` is declared by its operator alone, with
literals: ``LONG_NAME`` and, where they are not the usual ones, ``STANDARD_NAME`` (CF),
``CELL_METHODS`` and ``COMMENT``.
"""
