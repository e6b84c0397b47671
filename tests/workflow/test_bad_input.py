"""Each fault of the input is named in one line, ends the run with 1 and leaves nothing behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import pytest
import yaml
from project import DATA, Outcome, Project, borders, copy_workflow

pytestmark = pytest.mark.xdist_group("bad input")

DAYS = 12
STEPS = 48 * DAYS
RECORD = "FLX.csv"


@pytest.fixture(scope="module")
def project(tmp_path_factory, index) -> Project:
    return copy_workflow(tmp_path_factory.mktemp("bad") / "project", index)


def refused(project: Project, *arguments: str) -> Outcome:
    """Return how a dry run ended that must have refused to begin."""
    outcome = project.snakemake("--dry-run", *arguments)
    assert outcome.code == 1, outcome.shown
    assert "Traceback" not in outcome.shown
    assert not project.results.exists()
    return outcome


def test_all_faults_of_a_configuration_are_named_at_once(project):
    config = project.read("config/config.yaml")
    vielsalm, davos = config["sites"].values()
    vielsalm["elevation"] = vielsalm.pop("elevation_m")
    vielsalm["records"][0]["source"] = "be_vie_2015"
    davos["streams"] = ["nee", "gdp"]
    davos["training"]["period"] = ["2018-12-31", "2013-01-01"]
    config["model"] = "dalec3"
    config["assimilation"]["methods"] = ["hmc", "esdma"]
    (project.root / "mine.yaml").write_text(yaml.safe_dump(config))
    shown = refused(project, "--configfile", "mine.yaml").shown
    for fault in (
        "configuration: 8 faults",
        "assimilation.methods[1]: unknown name 'esdma'; nearest valid: esmda (of demcz, esmda, ",
        "assimilation.budgets.esdma: missing; methods names it",
        "model: unknown name 'dalec3'; nearest valid: dalec2",
        "sites.BE-Vie.elevation: unknown key; nearest valid: elevation_m (of ",
        "sites.BE-Vie.elevation_m: missing",
        "sites.BE-Vie.records[0].source: unknown name 'be_vie_2015'; nearest valid: be_vie_2014",
        "sites.CH-Dav.streams[1]: unknown name 'gdp'; nearest valid: gpp",
        "sites.CH-Dav.training.period[0]: found '2018-12-31'; expected less than item 1, which is "
        "'2013-01-01'",
    ):
        assert fault in shown


def test_a_configuration_of_ones_own_has_its_own_sites_alone(project):
    config = project.read("config/config.yaml")
    config["sites"] = {"Mine": config["sites"]["BE-Vie"]}
    del config["forecast"]
    (project.root / "mine.yaml").write_text(yaml.safe_dump(config))
    outcome = project.snakemake("--dry-run", "--configfile", "mine.yaml")
    assert outcome.code == 0, outcome.shown
    assert "results/default/products/Mine/fluxes.nc" in outcome.shown
    assert "CH-Dav" not in outcome.shown


def test_a_site_waits_for_the_posterior_that_becomes_its_prior(project):
    config = project.read("config/config.yaml")
    learned = {"learned_from": "CH-Dav", "method": "esmda", "widen": 1.5}
    config["sites"]["BE-Vie"]["prior"] = learned
    (project.root / "mine.yaml").write_text(yaml.safe_dump(config))
    run = "results/default"
    wanted = [f"{run}/prior/BE-Vie.nc", f"{run}/posterior/BE-Vie/hmc.nc"]
    shown = project.snakemake("--dry-run", "--configfile", "mine.yaml", "--", *wanted).shown
    jobs = dict(re.findall(r"^Job \d+: (.*)\nReason: (.*)$", shown, flags=re.M))
    assert (
        f"{run}/posterior/CH-Dav/esmda.nc"
        in jobs["Learn the prior of BE-Vie from another site's posterior"]
    )
    waiting = {job for job, reason in jobs.items() if f"{run}/learned/BE-Vie/prior.yaml" in reason}
    assert waiting - {"Learn the prior of BE-Vie from another site's posterior"} == {
        "Run BE-Vie with parameters from the prior",
        "State the errors of model and observations of BE-Vie",
        "Assimilate BE-Vie by hmc",
    }


def test_a_key_that_is_there_twice_is_refused(project):
    text = (project.root / "config/config.yaml").read_text()
    (project.root / "mine.yaml").write_text(text + "seed: 1\n")
    shown = refused(project, "--configfile", "mine.yaml").shown
    line = text.count("\n") + 1
    assert f"mine.yaml: line {line}, column 1: found key 'seed' a second time" in shown


def test_a_prior_whose_bounds_are_swapped_is_refused(project):
    file = "config/models/components/six_pools.yaml"
    before = (project.root / file).read_bytes()
    project.change(file, lambda model: model["parameters"][1].update(min=0.9, max=0.3))
    try:
        shown = refused(project).shown
    finally:
        (project.root / file).write_bytes(before)
    assert re.search(
        r"six_pools\.yaml: parameters\[autotrophic_fraction\]\.min: found 0\.9; "
        r"expected less than max, which is 0\.3",
        shown,
    )


def test_a_site_that_there_is_not_is_refused_with_the_nearest(project):
    target = "results/default/report/BE-Vi.html"
    shown = refused(project, target).shown
    known = "BE-Vie (of BE-Vie, CH-Dav, transect)"
    assert f"{target}: unknown site 'BE-Vi'; nearest valid: {known}" in shown


@dataclass(frozen=True)
class Fault:
    """How a site's record is spoilt, and what the user must be told, as a pattern.

    ``rule`` is the rule that finds it; ``kept`` how many of the archive's bytes the index sends.
    """

    says: str
    spoil: Callable[[pd.DataFrame], pd.DataFrame] = lambda record: record
    rule: str = "read_tower"
    source: Callable[[dict], object] = lambda source: None
    site: Callable[[dict], object] = lambda site: None
    kept: int | None = None


def emptied(record: pd.DataFrame) -> pd.DataFrame:
    """Return the record at the turn of a year, with no radiation in the new one."""
    stamps = pd.date_range("2013-12-31", periods=len(record) + 1, freq="30min")
    text = stamps.strftime("%Y%m%d%H%M")
    record = record.assign(TIMESTAMP_START=text[:-1], TIMESTAMP_END=text[1:])
    return record.assign(SW_IN_F=record["SW_IN_F"].where(stamps[:-1].year == 2013, "-9999"))


def described(source: dict, units: str) -> None:
    """Declare the columns of the record for the reader of tables."""
    time = {
        "column": "TIMESTAMP_START", "format": "%Y%m%d%H%M", "position": "start",
        "step_minutes": 30, "utc_offset_hours": 1,
    }  # fmt: skip
    columns = {
        "tas": {"column": "TA_F", "units": units},
        "rsds": {"column": "SW_IN_F", "units": "W m-2"},
    }
    source["tables"] = {RECORD: {"time": time, "variables": columns}}


STAMP = "2014-05-02 02:00:00"
FAULTS = {
    "NoColumn": Fault(
        rf"raw/nocolumn/{RECORD}: SW_IN_F: found no such column; expected one; nearest .*: LW_IN_",
        lambda record: record.drop(columns="SW_IN_F"),
    ),
    "Twice": Fault(
        rf"raw/twice/{RECORD}: TIMESTAMP_START: found duplicated time {STAMP}; expected ",
        lambda record: record.iloc[[*range(53), *range(52, STEPS)]],
    ),
    "Unsorted": Fault(
        rf"raw/unsorted/{RECORD}: TIMESTAMP_START: found unsorted time {STAMP}; expected ",
        lambda record: record.iloc[[*range(52), 53, 52, *range(54, STEPS)]],
    ),
    "Gap": Fault(
        rf"raw/gap/{RECORD}: TIMESTAMP_START: found missing time {STAMP}; expected ",
        lambda record: record.drop(index=52),
    ),
    "Unit": Fault(
        rf"raw/unit/{RECORD}: TA_F: found unit 'Pa'; expected .*degC",
        source=lambda source: described(source, "Pa"),
        site=lambda site: site["records"][0].update(reader="table"),
    ),
    "EmptyYear": Fault(
        rf"{RECORD}: SW_IN_F: found no value in 2014; expected values in each year", emptied
    ),
    "Untrained": Fault(
        r"configuration: training\.period: found \['2020-01-01', '2020-12-31'\]; "
        r"expected days of the record, which runs from 2014-05-01 to 2014-05-12",
        rule="state_errors",
        site=lambda site: site.update(training={"period": ["2020-01-01", "2020-12-31"]}),
    ),
    "Cut": Fault(
        r"cut-1\.0\.tar\.gz: sha256: found [0-9a-f]{64}; expected [0-9a-f]{64}",
        rule="acquire_source",
        kept=-100,
    ),
}
SOUND = "Sound"


def write_source(project: Project, name: str, fault: Fault, record: pd.DataFrame) -> None:
    """Describe a source in the project and put its one record on the index."""
    source = project.read("config/sources/be_vie_2014.yaml")
    del source["tables"]
    source["locator"] |= {"distribution": name, "version": "1.0"}
    source["members"] = {RECORD: f"{name}-1.0/{RECORD}"}
    fault.source(source)
    (project.root / f"config/sources/{name}.yaml").write_text(yaml.safe_dump(source))
    filename = project.publish(name, {RECORD: record.to_csv(index=False).encode()})
    project.index.files[filename] = project.index.files[filename][: fault.kept]


@dataclass(frozen=True)
class Ruin:
    """A run of one sound site among spoilt ones, and the lines of its summary."""

    project: Project
    outcome: Outcome
    summary: dict[str, str]


@pytest.fixture(scope="module")
def ruin(tmp_path_factory, index) -> Ruin:
    project = copy_workflow(tmp_path_factory.mktemp("bad") / "ruin", index)
    whole = pd.read_csv(DATA / "FLX_BE-Vie_cut.csv", dtype=str).iloc[:STEPS]
    config = project.read("config/config.yaml")
    template = config["sites"]["BE-Vie"]
    config |= {"run": "bad", "sites": {}}
    del config["forecast"]
    for name, fault in {SOUND: Fault(""), **FAULTS}.items():
        site = yaml.safe_load(yaml.safe_dump(template))
        site["streams"] = ["nee"]
        site["records"] = [{"source": name.lower(), "file": RECORD, "reader": "fluxnet"}]
        fault.site(site)
        config["sites"][name] = site
        write_source(project, name.lower(), fault, fault.spoil(whole.copy()))
    project.publish("natural_earth_110m", borders())
    (project.root / "config/config.yaml").write_text(yaml.safe_dump(config))
    targets = [f"results/bad/cubes/{name}/drivers.nc" for name in config["sites"]]
    outcome = project.snakemake(*targets, "results/bad/posterior/Untrained/errors.json")
    failed = re.findall(r"^Failed: (\w+)\.(\w+): (.*)$", outcome.shown, flags=re.M)
    return Ruin(project, outcome, {f"{rule} {name}": said for rule, name, said in failed})


def test_the_exit_code_and_the_summary_say_that_sites_failed(ruin):
    assert ruin.outcome.code == 1
    assert "Traceback" not in ruin.outcome.shown
    assert set(ruin.summary) == {
        f"{fault.rule} {name.lower() if fault.rule == 'acquire_source' else name}"
        for name, fault in FAULTS.items()
    }


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_named(ruin, name):
    rule = FAULTS[name].rule
    key = f"{rule} {name.lower() if rule == 'acquire_source' else name}"
    assert re.search(FAULTS[name].says, ruin.summary[key])


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_written_of_what_failed(ruin, name):
    results = ruin.project.results
    written = {
        path.relative_to(results).as_posix()
        for path in results.rglob("*")
        if path.is_file() and name.lower() in path.relative_to(results).as_posix().lower()
    }
    made = {path for path in written if not path.startswith(("logs/", "benchmarks/"))}
    record = {
        f"raw/{name.lower()}/{file}" for file in (RECORD, "provenance.json", ".snakemake_timestamp")
    }
    cubes = {
        f"cubes/{name}/{file}"
        for file in ("halfhourly.nc", "drivers.nc", "observations.nc", "land.nc", "masking.csv")
    }
    earlier = {"acquire_source": set(), "read_tower": record, "state_errors": record | cubes}
    assert made == earlier[FAULTS[name].rule]


def test_the_sound_site_goes_on(ruin):
    assert (ruin.project.results / f"cubes/{SOUND}/drivers.nc").exists()
    assert not [key for key in ruin.summary if SOUND in key]
