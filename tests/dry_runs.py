"""Run commands of Snakemake one after the other in this process, as dry runs.

The standard input has a list of lists of words, as JSON; the answer, on the standard output, has of
each its exit status and what it showed. One process reads Snakemake and the library once for all.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from snakemake import cli


def answer(words: list[str]) -> tuple[int, str]:
    """Return how a command ended and what it showed."""
    shown = io.StringIO()
    sys.argv = ["snakemake", *words]
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            cli.main(words)
        except SystemExit as done:
            return int(done.code or 0), shown.getvalue()
    return 0, shown.getvalue()


if __name__ == "__main__":
    answers = [answer(words) for words in json.load(sys.stdin)]
    print(json.dumps(answers))
