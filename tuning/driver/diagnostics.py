"""A look inside the chosen trial, kept when a search ends: confusion matrices, single images, and its anti-samples.

All are kept in the study and its directory, so that the report can be written again without data and model.
"""

from dataclasses import replace

import numpy as np
from PIL import Image
from torch import Tensor, nn

from antisample.config import UnlearnConfig
from antisample.device import choose_device
from antisample.errors import AntisampleError
from antisample.inputs import UnlearnInputs
from antisample.methods import UnlearnContext
from antisample.methods.anti_sample import AntiSample, AntiSampleConfig
from antisample.models.predictions import Predictions
from antisample.storage.atomic import atomic_write
from antisample.types import Preprocessing
from antisample.unlearning import subject_of
from tuning.driver.gallery import PART, shown_shades, take_gallery
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import CONFUSIONS, GALLERIES
from tuning.study.confusions import ORIGINAL_MODEL, Cells
from tuning.study.outcome import find_outcome
from tuning.study.pictures import picture_file, picture_files
from tuning.study.reader import StudyReader
from tuning.study.study import Study
from tuning.trials.records import TrialRecord
from tuning.worker.inputs import RequestInputs

_SHOWN, _GAP_PX = 8, 2


def inspect(study: Study, inputs: RequestInputs) -> None:
    """Keeps what the report shows of the original model and of the trials that may be chosen.

    Confusion matrices and single images are test images of the first forget request, judged by the model that the
    trial left. What is there already is not done again.

    Args:
        study: Has come to its end.
        inputs: Of the study.
    """
    outcome, first = find_outcome(study), inputs[0]
    matrices, galleries = study.noted(CONFUSIONS, {}), study.noted(GALLERIES, {})
    kept = len(matrices), len(galleries)
    config, device = study.plan.starting_config(), choose_device(study.config.device)
    before: Predictions | None = None
    records = {str(r.number): r for r in (outcome.by_rule, outcome.oracle) if r is not None}
    if ORIGINAL_MODEL not in matrices or not matrices.keys() & galleries.keys() >= records.keys():
        before = _answers(first.original.build(first.dataset, device), first, config)
        matrices.setdefault(ORIGINAL_MODEL, _cells(before))
    for number, record in records.items():
        is_kept = number in matrices and number in galleries
        weights = None if is_kept else StudyFiles.of(study.config).load_weights(record.number)
        if weights is not None and before is not None:
            unlearned = replace(first.original, state_dict=weights)
            after = _answers(unlearned.build(first.dataset, device), first, config)
            matrices[number] = _cells(after)
            galleries[number] = take_gallery(study, record, first, before, after)
        if not picture_files(study, record):
            _take_pictures(study, record, first)
    if len(matrices) > kept[0]:
        study.note(CONFUSIONS, matrices)
    if len(galleries) > kept[1]:
        study.note(GALLERIES, galleries)


def _answers(model: nn.Module, inputs: UnlearnInputs, config: UnlearnConfig) -> Predictions:
    return subject_of(model, inputs, config).predictions(PART)


def _cells(answers: Predictions) -> Cells:
    matrix = answers.confusion()
    return [[int(i), int(j), int(matrix[i, j])] for i, j in np.argwhere(matrix)]


def _take_pictures(study: StudyReader, record: TrialRecord, inputs: UnlearnInputs) -> None:
    """Draws again what the trial was trained on, for the first classes to forget; nothing for other methods."""
    config = study.plan.unlearn_config(record.params, record.seeds[0], 0)
    method = config.method
    if not isinstance(method, AntiSampleConfig) or not method.needs_neighbours:
        return
    device = choose_device(config.device)
    context = UnlearnContext(inputs.dataset, inputs.splits, inputs.original, device, config.seed, config.precision)
    for label in inputs.splits.forget_classes[:3]:
        try:
            rows = AntiSample().preview(context, method, label, _SHOWN)
        except AntisampleError:  # a picture is not worth the end of a search
            return
        for place, row in enumerate(rows):
            with atomic_write(picture_file(study, record, label, place), inside=study.config.directory) as unfinished:
                _strip(row, inputs.original.preprocessing).save(unfinished, "PNG", optimize=True)


def _strip(images: Tensor, preprocessing: Preprocessing) -> Image.Image:
    """Images side by side, [n, c, h, w] normalised, with transparent gaps between them."""
    pixels = images.detach().cpu().numpy()
    mean, std = (np.array(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    shades = shown_shades(255 * (pixels * std + mean))
    if shades.shape[1] == 1:
        shades = shades.repeat(3, axis=1)
    n, _, height, width = shades.shape
    strip = np.zeros((height, n * (width + _GAP_PX) - _GAP_PX, 4), np.uint8)
    for place, image in enumerate(shades):
        left = place * (width + _GAP_PX)
        strip[:, left : left + width, :3] = image.transpose(1, 2, 0)
        strip[:, left : left + width, 3] = 255
    return Image.fromarray(strip)
