"""What `tuning.search` refuses before it starts anything."""

import numpy as np
import pytest
from networks_in_memory import floats, halves, trained_network

import tuning
from antisample import AntisampleError, ConfigError, DataError

TRAIN, TEST = halves(floats())


def refusal(tmp_path, model=None, train=TRAIN, test=TEST, **arguments):
    given = {"classes": [3], "runs_dir": tmp_path / "runs", "cache_dir": tmp_path / "cache", **arguments}
    with pytest.raises(AntisampleError) as caught:
        tuning.search(trained_network() if model is None else model, train, test, progress=False, **given)
    assert list(tmp_path.iterdir()) == []
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": None}, "Either `classes` or `samples` must be given, but got neither."),
        ({"samples": [1]}, "Either `classes` or `samples` must be given, but got both."),
        ({"n_trial": 3}, "`n_trial` is neither an argument nor a key of a study. Did you mean 'n_trials'?"),
        ({"clases": 3}, "`clases` is neither an argument nor a key of a study. Did you mean 'classes'?"),
        ({"forget": 3}, "`forget` is neither an argument nor a key of a study."),
        ({"n_trials": 0}, "`n_trials` must be greater than or equal to 1, but got 0."),
        ({"name": "a/b"}, "`name` must start with a letter or digit"),
        ({"fixed": {"epoch": 3}}, "`fixed.epoch` is not a setting. Did you mean `fixed.epochs`?"),
        ({"method": "antisampel"}, "`method` must be one of"),
        ({"objectives": [{"metric": "test/forget_accuracy", "direction": "minimize"}]}, "`objectives.0.metric`"),
        ({"classes": [12]}, "`classes` must be class names, and some of these are numbers"),
        (
            {"samples": ["a.png"], "classes": None},
            "`samples` must be positions in `train`, from 0, but got ['a.png'].",
        ),
        ({"normalisation": "imagenet"}, "`normalisation` is for images of whole numbers, but got images of floats"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_argument_that_cannot_be_used(tmp_path, arguments, message):
    kind, said = refusal(tmp_path, **arguments)
    assert message in said
    assert kind is ConfigError


def test_objects_that_cannot_be_used(tmp_path):
    labels = TRAIN[1].astype(np.float64)
    assert (
        refusal(tmp_path, train=(TRAIN[0], labels))[1]
        == "The labels of train must be whole numbers, but got float64."
    )
    assert refusal(tmp_path, model="net")[1] == "`model` must be a torch.nn.Module, but got str."
    assert refusal(tmp_path, test=(TEST[0][..., 1:], TEST[1]))[0] is DataError
