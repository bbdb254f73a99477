"""What a study knows about its surroundings, and what must not change beneath it."""

from dataclasses import replace

import pytest

from antisample.errors import DataError
from tuning.driver.provenance import record_provenance
from tuning.study.attributes import (
    CLASS_NAMES,
    CREATED_MS,
    FINGERPRINTS,
    FORGET_REQUESTS,
    ID,
    IMAGES,
    ORIGINAL,
    ORIGINAL_COUNTS,
)
from tuning.study.study import Study


def test_another_original_model_or_other_data_is_refused_once_the_study_has_begun(make_study, config, digits_inputs):
    study = make_study(config)
    study.note(FINGERPRINTS, {"data": digits_inputs.dataset.fingerprint, "model": "other"})
    with pytest.raises(DataError, match="changed since the study was started: model"):
        record_provenance(study, (digits_inputs,))
    study.note(FINGERPRINTS, {"data": "other", "model": "other"})
    with pytest.raises(DataError, match="changed since the study was started: data and model"):
        record_provenance(study, (digits_inputs,))


@pytest.mark.parametrize(
    "last", ["fingerprints", "original_counts", "images", "class_names", "forget_requests", "original", "command"]
)
def test_wherever_a_driver_dies_the_next_one_keeps_all_facts_and_a_change_is_noticed(
    dying_study, config, digits_inputs, last
):
    with pytest.raises(SystemExit):
        record_provenance(dying_study(config, last), (digits_inputs,))
    study = Study(config)
    record_provenance(study, (digits_inputs,))
    assert all(study.noted(name) for name in (ORIGINAL, ORIGINAL_COUNTS, IMAGES, CLASS_NAMES))
    other = replace(digits_inputs, original=replace(digits_inputs.original, fingerprint="other"))
    with pytest.raises(DataError, match="changed since the study was started: model"):
        record_provenance(study, (other,))


def test_facts_of_the_first_run_stay(make_study, config, digits_inputs):
    study = make_study(config.model_copy(update={"name": "fresh"}))
    study.note(ORIGINAL, None)
    record_provenance(study, (digits_inputs,))
    first = {name: study.noted(name) for name in (ID, CREATED_MS, ORIGINAL, FINGERPRINTS)}
    assert study.noted(FORGET_REQUESTS) == [[3]]
    record_provenance(study, (replace(digits_inputs),))
    assert {name: study.noted(name) for name in first} == first
