"""Priors that another site has taught, from its posterior.

Each parameter that the posterior and the model share gets a normal prior, on the scale of the one
it has (the logarithm for logarithmic ones): mean and standard deviation are those of the draws, the
latter widened by a factor for what differs between sites, and it is cut off at the same ``min`` and
``max``. A day of the year keeps its prior, which is uniform on a circle. What posteriors know of
several parameters together is left behind: the priors are independent. Inflations of errors are of
a site's own observations and are not learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import xarray as xr
import yaml

from concerto.errors import InputError
from concerto.models import Parameter


def learn(
    parameters: Sequence[Parameter], posterior: xr.Dataset, widen: float, file: str
) -> list[Parameter]:
    """Return those of ``parameters`` that a posterior teaches, with their new priors.

    Parameters
    ----------
    parameters
        The model's, with the priors they have.
    posterior
        As :func:`concerto.ensembles.posterior_dataset` makes it, of one location.
    widen
        Factor of standard deviations, on the scale of the prior.
    file
        The posterior's, for messages.

    Raises
    ------
    InputError
        If it has none of the parameters; or one in another unit, of one value only, or with a mean
        that is not within the parameter's range.
    """
    known = set(posterior["parameter"].to_numpy().tolist())
    shared = [p for p in parameters if p.name in known and p.prior != "circular"]
    if not shared:
        wanted = ", ".join(p.name for p in parameters)
        raise InputError(file, "parameter", ", ".join(sorted(known)), f"some of {wanted}")
    return [
        _taught(p, posterior.sel(parameter=p.name).isel(location=0), widen, file) for p in shared
    ]


def describe(parameters: Sequence[Parameter], source: str) -> str:
    """Return the text of the file that puts learned priors in the place of a model's own.

    It follows the model's files; ``source`` says where the priors were learned.
    """
    described = [
        {key: value for key, value in asdict(parameter).items() if value is not None}
        for parameter in parameters
    ]
    content = {"learned": source, "parameters": described}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _taught(parameter: Parameter, posterior: xr.Dataset, widen: float, file: str) -> Parameter:
    unit = str(posterior["parameter_units"].item())
    if unit != parameter.unit:
        raise InputError(file, f"{parameter.name}.parameter_units", unit, parameter.unit)
    draws = posterior["parameters"].to_numpy().astype(float)
    logarithmic = parameter.prior.startswith("log")
    if not draws.min() < draws.max() or (logarithmic and draws.min() <= 0.0):
        found, expected = f"{draws.min():g} to {draws.max():g}", "several values"
        more = " above 0" if logarithmic else ""
        raise InputError(file, parameter.name, found, f"{expected}{more}")
    plain = np.log(draws) if logarithmic else draws
    mean, sd = float(plain.mean()), widen * float(plain.std(ddof=1))
    center = math.exp(mean) if logarithmic else mean
    if not parameter.min <= center <= parameter.max:
        raise InputError(
            file, parameter.name, f"a mean of {center:g}",
            f"one from {parameter.min:g} to {parameter.max:g}",
        )  # fmt: skip
    source = f"{file}, widened {widen:g} times"
    if logarithmic:
        return replace(
            parameter, prior="log-normal", median=center, factor=math.exp(sd), source=source
        )
    return replace(parameter, prior="normal", mean=center, sd=sd, source=source)
