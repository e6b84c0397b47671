"""Assimilation methods, one module each.

A module offers ``assimilate(problem, budget, rng) -> Posterior``: it samples the posterior of
``problem`` (:class:`concerto.assimilation.problem.Problem`) within ``budget`` (the mapping of its
name in ``assimilation.budgets`` of the configuration) and says whether it converged.
"""
