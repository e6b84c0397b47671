"""Learn the prior of one site from the posterior of another."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr
from concerto.assimilation.learned import describe, learn
from concerto.models import load_model
from concerto.products.files import write_text
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def learn_prior(model: Sequence[Path], posterior: Path, output: Path, *, widen: float) -> None:
    """Write the priors that take the place of the model's own (YAML, as in ``config/models``).

    Parameters
    ----------
    model
        Files of the model's parameters.
    posterior
        The other site's posterior (NetCDF).
    output
        Where to write.
    widen
        Factor of the posterior's standard deviations.
    """
    taught_by = xr.load_dataset(posterior)
    parameters = load_model(model).parameters
    taught = learn(parameters, taught_by, widen, str(posterior))
    source = summary(taught_by, len(taught), len(parameters), widen, posterior)
    log.info(source)
    write_text(describe(taught, source), output)


def summary(posterior: xr.Dataset, taught: int, parameters: int, widen: float, file: Path) -> str:
    """Return in words where a prior was learned, and whether that posterior had converged."""
    attributes: Mapping = posterior.attrs
    return (
        f"learned from {posterior['location'].item()} by {attributes['method']} ({file}; "
        f"converged: {attributes['converged']}): {taught} of {parameters} parameters, each by "
        f"itself, spread widened {widen:g} times"
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        learn_prior(
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            Path(snakemake.output.prior),  # noqa: F821
            widen=snakemake.params.learned["widen"],  # noqa: F821
        )
