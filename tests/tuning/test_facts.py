"""What a study knows about its surroundings, and what must not change beneath it."""

from dataclasses import replace

import pytest

from antisample.errors import DataError
from tuning.facts import note_facts


def test_another_original_model_or_other_data_is_refused_once_the_study_has_begun(make_study, config, digits_inputs):
    study = make_study(config)
    study.note("fingerprints", {"data": digits_inputs.dataset.fingerprint, "model": "other"})
    with pytest.raises(DataError, match="model are not those that the study began with"):
        note_facts(study, (digits_inputs,))
    study.note("fingerprints", {"data": "other", "model": "other"})
    with pytest.raises(DataError, match="data and model are not"):
        note_facts(study, (digits_inputs,))


def test_facts_of_the_first_run_stay(make_study, config, digits_inputs):
    study = make_study(config.model_copy(update={"name": "fresh"}))
    study.note("original", None)
    note_facts(study, (digits_inputs,))
    first = {name: study.noted(name) for name in ("id", "created_ms", "original", "fingerprints")}
    assert study.noted("forget_requests") == [[3]]
    note_facts(study, (replace(digits_inputs),))
    assert {name: study.noted(name) for name in first} == first
