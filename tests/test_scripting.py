"""The log of a rule's script, in a process of its own as Snakemake runs it."""

import logging
import os
import platform
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from concerto.errors import ConcertoError, InputError
from concerto.scripting import FAILURE_MARK, failures, script_log, span, texts

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(autouse=True)
def logging_as_before():
    """What a script sets for the rest of its process is undone for the next test."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(False)
    root.setLevel(level)
    assert root.handlers == handlers


def run(tmp_path, body):
    """Run a script with ``body`` under the log; returns the process and the log's lines."""
    log = tmp_path / "logs" / "site.log"
    text = f"""
import logging, sys, warnings
sys.path.insert(0, {str(SCRIPTS)!r})
from concerto.errors import InputError
from concerto.scripting import script_log
with script_log({str(log)!r}):
{textwrap.indent(textwrap.dedent(body), "    ")}
print("after")
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    return done, log.read_text(encoding="utf-8").splitlines()


def test_success(tmp_path):
    done, lines = run(tmp_path, 'logging.getLogger("x").info("half way")\nwarnings.warn("odd")')
    assert done.returncode == 0
    assert done.stdout == "after\n"
    assert lines[0].endswith(f"INFO Python {platform.python_version()} in {sys.prefix}")
    assert "INFO half way" in lines[1]
    assert any("WARNING" in line and "odd" in line for line in lines)
    assert failures(tmp_path) == []


def test_an_error_of_the_input_is_one_line_without_a_traceback(tmp_path):
    done, lines = run(
        tmp_path,
        """
        logging.getLogger("x").info("half way")
        raise InputError("a.csv", "TA_F", "nothing", "a\\ncolumn")
        """,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert lines[-1] == f"{FAILURE_MARK}a.csv: TA_F: found nothing; expected a column"
    assert not any("Traceback" in line for line in lines)
    expected = "a.csv: TA_F: found nothing; expected a column"
    assert failures(tmp_path) == [("site", expected)]


def test_any_other_error_keeps_its_traceback(tmp_path):
    done, lines = run(tmp_path, 'raise ZeroDivisionError("by nought")')
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert any("Traceback" in line for line in lines)
    assert failures(tmp_path) == [("site", "ZeroDivisionError: by nought")]


def test_errors_leave_by_their_own_way(tmp_path):
    with pytest.raises(SystemExit) as caught, script_log(tmp_path / "a.log"):
        raise ConcertoError("wrong")
    assert caught.value.code == 1
    with pytest.raises(KeyError, match="lost"), script_log(tmp_path / "b.log"):
        raise KeyError("lost")
    assert [name for name, _ in failures(tmp_path)] == ["a", "b"]


def test_failures_of_all_rules_are_listed(tmp_path):
    for name in ("read_tower/CH-Dav", "fit/BE-Vie", "read_tower/BE-Vie"):
        with pytest.raises(SystemExit), script_log(tmp_path / f"{name}.log"):
            raise InputError(name, "f", "this", "that")
    with script_log(tmp_path / "fine.log"):
        logging.getLogger("x").info("%sbut only said in passing", FAILURE_MARK)
    (tmp_path / "empty.log").touch()
    (tmp_path / "notes.txt").write_text(f"{FAILURE_MARK}no log\n")
    assert failures(tmp_path) == [
        ("BE-Vie", "fit/BE-Vie: f: found this; expected that"),
        ("BE-Vie", "read_tower/BE-Vie: f: found this; expected that"),
        ("CH-Dav", "read_tower/CH-Dav: f: found this; expected that"),
    ]


def test_a_success_overwrites_an_earlier_failure(tmp_path):
    log = tmp_path / "site.log"
    with pytest.raises(SystemExit), script_log(log):
        raise ConcertoError("not yet")
    assert len(failures(tmp_path)) == 1
    with script_log(log):
        logging.getLogger("x").info("now")
    assert failures(tmp_path) == []
    assert "not yet" not in log.read_text()


def test_a_log_of_bytes_is_read_all_the_same(tmp_path):
    (tmp_path / "odd.log").write_bytes(b"\xff\xfe\n" + FAILURE_MARK.encode() + b"caf\xe9\n")
    assert failures(tmp_path) == [("odd", "caf\N{REPLACEMENT CHARACTER}")]


def test_no_logs(tmp_path):
    assert failures(tmp_path / "none") == []


def test_texts_are_those_of_the_files_that_exist(tmp_path):
    (tmp_path / "a.txt").write_text("first\n")
    (tmp_path / "c.txt").write_text("last \N{DEGREE SIGN}\n", encoding="utf-8")
    files = [tmp_path / f"{name}.txt" for name in "abc"]
    assert texts(files) == "first\nlast \N{DEGREE SIGN}\n"
    assert texts(files[1:2]) == ""


def test_the_span_of_a_run_is_from_its_first_line_to_its_last(tmp_path):
    (tmp_path / "a.log").write_text("2026-01-02 03:04:05,678 INFO Python\n")
    (tmp_path / "b.log").write_text("2026-01-02 03:00:00,000 INFO Python\n")
    (tmp_path / "c.log").write_text("Snakemake said something else\n")
    os.utime(tmp_path / "a.log", (2e9, 2e9))
    began, ended = span(tmp_path)
    assert began.replace(tzinfo=None).isoformat() == "2026-01-02T03:00:00"
    assert ended.timestamp() == 2e9
    with pytest.raises(InputError, match="no time"):
        span(tmp_path / "nowhere")
