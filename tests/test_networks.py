"""Trials of a network: who is told what."""

from __future__ import annotations

from concerto.networks import FLUXES, trials

ENTRY = {"name": "N", "streams": ["nee", "gpp", "et", "lai", "total_biomass"], "last_withheld": 0.3}
ENTRY |= {"learning": {"folds": 3}}


def test_each_trial_is_told_less():
    made = trials({"towers": ENTRY})
    assert list(made) == ["towers_all", "towers_inner", "towers_unseen"]
    assert all(entry["cubes"] == "towers" for entry in made.values())
    assert not any("learning" in entry for entry in made.values())
    assert made["towers_all"]["streams"] == ENTRY["streams"]
    assert "training" not in made["towers_all"]
    assert made["towers_inner"]["training"] == {"last_withheld": dict.fromkeys(FLUXES, 0.3)}
    assert made["towers_unseen"]["streams"] == ["lai", "total_biomass"]
