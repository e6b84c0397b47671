import numpy as np
import pandas as pd
from concerto.evaluation.judgement import best_predictor, in_words, judge
from concerto.evaluation.scores import COLUMNS, METRICS


def table(**crps):
    rows = [
        {"site": "X", "variable": "nee", "step": "daily", "predictor": name, "n": 50}
        | dict.fromkeys(METRICS, np.nan)
        | {"crps": value}
        for name, value in crps.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_the_lower_crps_wins_and_one_per_cent_is_level():
    scores = table(demcz=1.0, climatology=1.2, regression=0.8)
    assert [j.outcome for j in judge(scores, "demcz")] == ["beats", "loses to"]
    level = judge(table(demcz=1.0, climatology=1.009, regression=1.011), "demcz")
    assert [j.outcome for j in level] == ["is level with", "beats"]


def test_a_loss_is_said_in_words():
    (sentence,) = in_words(table(demcz=1.0, climatology=1.2, regression=0.8), "demcz")
    assert "loses to the regression on weather (0.8)" in sentence
    assert "beats the day-of-year climatology (1.2)" in sentence


def test_a_single_value_is_not_judged():
    scores = table(demcz=1.0, climatology=1.2).assign(n=1)
    assert judge(scores, "demcz")[0].outcome == "cannot be compared with"
    assert "no ground for a comparison" in in_words(scores, "demcz")[0]


def test_a_method_without_scores_is_not_judged():
    assert judge(table(climatology=1.0), "demcz") == []
    assert in_words(table(climatology=1.0), "demcz") == []


def test_best_predictor():
    assert best_predictor(table(demcz=1.0, regression=0.8)) == {("nee", "daily"): "regression"}
