"""Time left: by earlier benchmark files where there are any, never less than the longest chain."""

from __future__ import annotations

import pytest
from concerto.pace import SHARE, Pace, Work, expected_seconds
from hypothesis import given
from hypothesis import strategies as st


def benchmark(folder, name: str, *seconds: float) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.tsv"
    file.write_text("s\th:m:s\n" + "".join(f"{one}\t0:00:00\n" for one in seconds))
    return str(file)


def test_seconds_come_from_the_job_its_rule_another_run_or_what_it_asks_for(tmp_path):
    here = tmp_path / "a/benchmarks"
    own = benchmark(here, "fit.one", 10.0, 20.0)
    benchmark(here, "fit.two", 40.0)
    benchmark(tmp_path / "b/benchmarks", "draw.one", 7.0)
    benchmark(tmp_path / "b/benchmarks", "fit.one", 1000.0)
    (here / "fit.bad.tsv").write_text("nothing of use\n")
    works = {
        1: Work("fit", own, 60),
        2: Work("fit", str(here / "fit.three.tsv"), 60),
        3: Work("draw", str(here / "draw.tsv"), 60),
        4: Work("write", str(here / "write.tsv"), 60),
        5: Work("all", "", 0),
    }
    seconds = expected_seconds(works, tmp_path)
    assert seconds == {1: 15.0, 2: 27.5, 3: 7.0, 4: 3600 * SHARE, 5: 0.0}


def chain(length: int) -> dict[int, Work]:
    return {k: Work("a", "", 0, frozenset({k - 1} if k else ())) for k in range(length)}


def test_a_chain_takes_as_long_however_many_cores():
    pace = Pace(chain(4), dict.fromkeys(range(4), 10.0), cores=8)
    assert pace.left(0.0) == 40.0
    pace.start(0, 0.0)
    assert pace.left(4.0) == 36.0
    assert pace.fraction(4.0) == 0.1
    pace.finish(0, 10.0)
    assert pace.left(10.0) == 30.0
    assert pace.fraction(10.0) == 0.25


def test_jobs_that_wait_for_none_share_the_cores():
    works = {k: Work("a", "", 0) for k in range(8)}
    assert Pace(works, dict.fromkeys(works, 10.0), cores=2).left(0.0) == 40.0


def test_a_slower_machine_is_noticed():
    works = {k: Work("a", "", 0) for k in range(100)}
    pace = Pace(works, dict.fromkeys(works, 10.0), cores=1)
    for k in range(50):
        pace.start(k, 30.0 * k)
        pace.finish(k, 30.0 * (k + 1))
    assert pace.left(1500.0) == pytest.approx(3 * 500.0, rel=0.05)


def test_a_job_that_outlasts_what_was_expected_adds_nothing():
    pace = Pace(chain(1), {0: 10.0}, cores=1)
    pace.start(0, 0.0)
    assert pace.left(500.0) == 0.0
    assert pace.fraction(500.0) == 1.0
    assert Pace({}, {}, 1).fraction(0.0) == 1.0


@given(
    st.lists(st.tuples(st.floats(0.0, 1e4), st.sets(st.integers(0, 30))), min_size=1, max_size=30),
    st.integers(1, 16),
)
def test_time_left_is_between_all_shared_and_all_in_a_row(jobs, cores):
    works = {
        k: Work("a", "", 0, frozenset(j for j in after if j < k))
        for k, (_, after) in enumerate(jobs)
    }
    seconds = {k: one for k, (one, _) in enumerate(jobs)}
    left = Pace(works, seconds, cores).left(0.0)
    total = sum(seconds.values())
    assert left <= total * (1 + 1e-9)
    assert left >= max(total / cores, *seconds.values(), 0.0) * (1 - 1e-9)
