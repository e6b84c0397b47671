"""Long work tells how far it has come: a bar on a real terminal, plain lines in logs."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import threading

import pytest
from concerto import progress
from concerto.plugins import LIBRARY

WORK = """
import sys, time
from pathlib import Path
from concerto import progress
from concerto.scripting import script_log
progress.DRAW_S = 0.0
with script_log(sys.argv[1]), progress.Progress("lai", 4e6) as told:
    for k in range(1, 5):
        time.sleep(0.01)
        told.report(k * 1e6, f"{k} of 4 files")
"""
LINE = r"lai: {} of 4 files, {} %, \d+\.\d\d MB/s, 0:00 min left"


def work(log, stderr) -> None:
    environment = os.environ | {"PYTHONPATH": str(LIBRARY.parent)}
    subprocess.run([sys.executable, "-c", WORK, log], stderr=stderr, env=environment, check=True)


def logged(file) -> list[str]:
    """What a log says between its first line, of the Python, and its last, of the cost."""
    lines = [line.partition(" INFO ")[2] for line in file.read_text().splitlines()]
    return lines[1:-1]


def test_a_terminal_shows_a_bar_and_the_log_plain_lines(tmp_path):
    ours, theirs = pty.openpty()
    work(tmp_path / "a.log", theirs)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    frames = shown.split("\r\x1b[K")[1:]
    assert len(frames) == 5
    assert re.fullmatch(r"\[#{6}\.{18}\] " + LINE.format(1, 25), frames[0])
    assert re.fullmatch(r"\[#{24}\] " + LINE.format(4, 100), frames[3])
    assert frames[4] == ""  # the bar is gone at the end
    lines = logged(tmp_path / "a.log")
    assert len(lines) == 4
    for k, line in enumerate(lines, 1):
        assert re.fullmatch(LINE.format(k, 25 * k), line)


def test_what_is_no_terminal_gets_nothing(tmp_path):
    with (tmp_path / "shown").open("w") as stream:
        work(tmp_path / "a.log", stream)
    assert (tmp_path / "shown").read_text() == ""
    assert len(logged(tmp_path / "a.log")) == 4


class Terminal:
    """What says that it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_other_threads_draw_nothing():
    terminal = Terminal()

    def run() -> None:
        with progress.Progress("a", 10.0, stream=terminal) as told:
            told.report(5.0, "half")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert terminal.text == ""


def test_lines_come_at_intervals_and_know_no_end_where_there_is_none(caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="concerto")
    told = progress.Progress("a", 1000.0, unit="files", size=1.0)
    for k in range(100):
        told.report(float(k), f"{k}")
    assert len(caplog.messages) == 1  # at 5 % of it
    monkeypatch.setattr(progress, "REPORT_S", 0.0)
    progress.Progress("b", None).report(5e6, "5 MB")
    assert re.fullmatch(r"b: 5 MB, \d+\.\d\d MB/s", caplog.messages[-1])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00 min"), (61, "1:01 min"), (3599.4, "59:59 min"), (7260, "2:01 h")],
)
def test_time_left_is_short(seconds, text):
    assert progress.clock(seconds) == text
