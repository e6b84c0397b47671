"""The screen of a run: jobs at work on a real terminal, elsewhere plain lines and the time left."""

from __future__ import annotations

import io
import logging
import os
import pty
import re

import pytest
from concerto import console
from concerto.pace import Pace, Work
from concerto.progress import TAKEN

NAME = "theirs"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def two_jobs() -> Pace:
    works = {1: Work("fit", "", 0), 2: Work("draw", "", 0, frozenset({1}))}
    return Pace(works, {1: 60.0, 2: 20.0}, cores=2)


def logger_to(stream) -> logging.Logger:
    logger = logging.Logger("run", logging.INFO)
    handler = logging.StreamHandler(stream)
    handler.set_name(NAME)
    logger.addHandler(handler)
    return logger


def say(logger, message="", event=None, level=logging.INFO, **more) -> None:
    logger.log(level, message, extra={"event": event, **more})


@pytest.fixture
def terminal(monkeypatch):
    """A logger to a pseudo-terminal, and what reads all that was written to it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(console, "TICK_S", 1e6)
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w")

    seen = ""

    def read() -> str:
        # a terminal gives on what it was given in pieces: up to a mark, all has come
        nonlocal seen
        os.write(theirs, b"\x07")
        piece = ""
        while not piece.endswith("\x07"):
            piece += os.read(ours, 1 << 20).decode()
        seen += piece.removesuffix("\x07")
        return seen.replace("\r\n", "\n")

    yield logger_to(stream), read
    stream.close()
    os.close(ours)
    os.environ.pop(TAKEN, None)


def rendered(text: str) -> list[str]:
    """Return the lines that a terminal shows in the end, if it knows what consoles write."""
    lines = [""]
    row = 0
    for part in re.split(r"(\x1b\[\d*[AJ]|\r|\n)", text):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1])
        elif part == "\x1b[J":
            del lines[row:]
            lines.append("")
        elif part and part != "\r":
            lines[row] += part
    return lines


def test_a_terminal_shows_jobs_at_work_with_their_logs_and_keeps_what_is_done(terminal, tmp_path):
    logger, read = terminal
    log = tmp_path / "fit.log"
    log.write_text("2026-01-01 00:00:00,000 INFO sweep 3 of 5\n")
    shown = console.watch(logger, NAME, two_jobs())
    shown.now = clock = Clock()
    shown.begun = 0.0
    assert os.environ[TAKEN]
    say(logger, "Select jobs to execute...")
    say(logger, "Execute 1 jobs...", "job_started", jobs=[1])
    say(logger, "", "job_info", jobid=1, rule_msg="Fit A", rule_name="fit", log=[str(log)])
    assert rendered(read()) == [
        "[........................] 0 of 2 jobs, 0 % of the work, 0:00 min ...",
        "  0:00 min  Fit A: sweep 3 of 5",
    ]
    clock.at = 60.0
    say(logger, "", "job_finished", job_id=1)
    say(logger, "", "progress", done=1, total=2)
    say(logger, "disk is nearly full", level=logging.WARNING)
    lines = rendered(read())
    assert lines[-1].startswith("[##################......] 1 of 2 jobs, 75 % of the work, ")
    assert "  1:00 min  Fit A" in lines
    assert "disk is nearly full" in lines
    say(logger, "", "job_info", jobid=2, rule_msg="", rule_name="draw", log=[])
    say(logger, "it broke", "job_error", level=logging.ERROR, jobid=2)
    lines = rendered(read())
    assert "it broke" in lines
    assert any("1 of 2 jobs, 1 failed" in line for line in lines)
    assert not any("draw" in line for line in lines)
    console.release(logger)
    say(logger, "the end")
    assert rendered(read())[-2:] == ["the end", ""]
    assert TAKEN not in os.environ


def test_lines_of_a_log_of_an_earlier_time_are_not_shown(tmp_path):
    log = tmp_path / "fit.log"
    log.write_text("2026-01-01 00:00:00,000 INFO took 3 s\n")
    os.utime(log, (1000.0, 1000.0))
    assert console._latest(str(log), 1000.5) == "took 3 s"
    assert console._latest(str(log), 1010.0) == ""
    assert console._latest(str(tmp_path / "none.log"), 0.0) == ""


def test_what_is_no_terminal_gets_their_lines_and_the_time_left():
    stream = io.StringIO()
    logger = logger_to(stream)
    shown = console.watch(logger, NAME, two_jobs())
    shown.now = clock = Clock()
    shown.begun = 0.0
    say(logger, "their own line", "job_info", jobid=1, rule_msg="Fit A", rule_name="fit", log=[])
    clock.at = 60.0
    say(logger, "Finished", "job_finished", job_id=1)
    say(logger, "1 of 2", "progress", done=1, total=2)
    say(logger, "2 of 2", "progress", done=2, total=2)
    assert stream.getvalue().splitlines() == [
        "their own line", "Finished", "1 of 2", "1:00 min gone, about 0:20 min left", "2 of 2",
    ]  # fmt: skip


def test_other_ways_to_log_are_left_alone():
    logger = logger_to(io.StringIO())
    before = list(logger.handlers)
    assert console.watch(logger, "another", two_jobs()) is None
    assert logger.handlers == before


def test_what_the_filters_of_the_old_handler_keep_back_stays_back():
    stream = io.StringIO()
    logger = logger_to(stream)
    logger.handlers[0].addFilter(lambda record: "secret" not in record.msg)
    console.watch(logger, NAME, two_jobs())
    say(logger, "a secret")
    say(logger, "no matter")
    assert stream.getvalue() == "no matter\n"
