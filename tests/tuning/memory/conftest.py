import pytest

from tuning.config.loading import parse_study
from tuning.study.attributes import FINGERPRINTS, FORGET_REQUESTS

PUBLISHED = (0.0, 0.5)
"""Forget and retain accuracy of the first trial of every earlier study: it forgets, and keeps little."""


@pytest.fixture
def earlier(values, make_study, metrics):
    """Makes studies as a search leaves them: the published set, and then a trial for each pair of figures."""

    def make(name, figures, *, label=7, fingerprint="a model", **changes):
        config = parse_study({**values, "name": name, "forget": {"classes": [label]}, "n_trials": 99, **changes})
        study = make_study(config)
        study.note(FINGERPRINTS, {"model": fingerprint, "data": "some data"})
        study.note(FORGET_REQUESTS, [[label]])
        for key, (forget, retain) in enumerate([PUBLISHED, *figures]):
            study.ask(str(key))
            study.complete(str(key), metrics(forget, retain), {"validation/forget": 50, "validation/retain": 450})
        (config.directory / "study.yaml").write_text(config.to_yaml())
        return study

    return make


@pytest.fixture
def new(values):
    """The configuration of a study that begins; its request is class 3."""

    def make(**changes):
        return parse_study({**values, "name": "new", "memory": "auto", **changes})

    return make
