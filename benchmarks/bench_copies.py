"""Whether copies of images to forget are found among the others, how many others are taken for copies, and how fast.

`python benchmarks/bench_copies.py --data PATH_OF_CIFAR10` plants copies of images of a class among the images of the
other classes: encoded as JPEG, made smaller and large again, shifted by up to two pixels over black or over repeated
borders. Class 3 (cat) chooses the threshold; the other classes report (0 and 1, airplane and automobile, had a part in
the choice of the method before). Then it takes half of a class as samples, and
writes which images of the other half, and of the test split, count as copies: CIFAR-10 has some. Writes
records/copies.json.
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from surroundings import surroundings

from antisample.datasets import load_dataset
from antisample.duplicates import copy_search
from antisample.duplicates.copy_search import CopySearch
from antisample.storage.atomic import atomic_write
from antisample.types import Dataset, ImageSet

RECORD = Path(__file__).parent / "records" / "copies.json"
CHOOSE, SAMPLES_OF = 3, 1
THRESHOLDS = (0.8, 0.84, 0.86, 0.88, 0.9, 0.92, 0.95)
Pixels = npt.NDArray[np.uint8]


def encoded(image: Pixels, quality: int) -> Pixels:
    """Through JPEG and back."""
    content = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content)).transpose(2, 0, 1)


def resized(image: Pixels, side: int) -> Pixels:
    """Made smaller and large again."""
    small = Image.fromarray(image.transpose(1, 2, 0)).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(small.resize(image.shape[1:], Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def shifted(image: Pixels, down: int, right: int, mode: Any) -> Pixels:
    """Shifted by at most two pixels, over black (`constant`) or over repeated borders (`edge`)."""
    wide = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode=mode)
    height, width = image.shape[1:]
    return wide[:, 2 - down : 2 - down + height, 2 - right : 2 - right + width]


KINDS: dict[str, Callable[[Pixels], Pixels]] = {
    "JPEG, quality 90": lambda image: encoded(image, 90),
    "JPEG, quality 50": lambda image: encoded(image, 50),
    "JPEG, quality 25": lambda image: encoded(image, 25),
    "24 x 24 pixels and back": lambda image: resized(image, 24),
    "16 x 16 pixels and back": lambda image: resized(image, 16),
    "shifted by (2, 0) over black": lambda image: shifted(image, 2, 0, "constant"),
    "shifted by (-2, 2) over black": lambda image: shifted(image, -2, 2, "constant"),
    "shifted by (2, 2), borders repeated": lambda image: shifted(image, 2, 2, "edge"),
    "shifted by (1, -2), borders repeated": lambda image: shifted(image, 1, -2, "edge"),
}


def planted(dataset: Dataset, label: int, per_kind: int, seed: int) -> dict[str, Any]:
    """Recall by kind and others taken for copies, by threshold."""
    train = dataset.train
    of_class, others = (np.flatnonzero((train.labels == label) == same) for same in (True, False))
    rng = np.random.default_rng([seed, label])
    originals = rng.choice(of_class, per_kind * len(KINDS), replace=False)
    kinds = [kind for kind in KINDS for _ in range(per_kind)]
    copies = np.stack([KINDS[kind](train.images[at]) for kind, at in zip(kinds, originals, strict=True)])
    images = ImageSet(
        np.concatenate([train.images[others], copies]),
        np.concatenate([train.labels[others], train.labels[originals]]),
    )
    started, cpu = time.perf_counter(), time.process_time()
    pairs = CopySearch(train, of_class).among(images, np.arange(len(images)))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    is_planted = pairs.copies >= len(others)
    expected = originals[pairs.copies[is_planted] - len(others)]
    right = dict(
        zip(
            pairs.copies[is_planted] - len(others),
            np.where(pairs.of[is_planted] == expected, pairs.similarity[is_planted], 0.0),
            strict=True,
        )
    )
    similarity = np.array([right.get(at, 0.0) for at in range(len(copies))])
    natural = pairs.similarity[~is_planted]
    return {
        "class": dataset.class_names[label],
        "planted": len(copies),
        "others": len(others),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "missed": {
            str(limit): {
                kind: int((similarity[np.array(kinds) == kind] < limit).sum())
                for kind in KINDS
                if (similarity[np.array(kinds) == kind] < limit).any()
            }
            for limit in THRESHOLDS
        },
        "others_taken_for_copies": {str(limit): int((natural >= limit).sum()) for limit in THRESHOLDS},
    }


def of_samples(dataset: Dataset, label: int) -> dict[str, Any]:
    """Half of a class as samples: copies in its other half and in the test split, with the pairs most alike."""
    train = dataset.train
    of_class = np.flatnonzero(train.labels == label)
    search = CopySearch(train, of_class[::2])
    result: dict[str, Any] = {"class": dataset.class_names[label]}
    for name, images, positions in (
        ("train", train, of_class[1::2]),
        ("test", dataset.test, np.flatnonzero(dataset.test.labels == label)),
    ):
        pairs = search.among(images, positions)
        order = np.argsort(-pairs.similarity)
        result[name] = {
            "images": len(positions),
            "copies": {str(limit): int((pairs.similarity >= limit).sum()) for limit in THRESHOLDS},
            "exact": int(pairs.exact.sum()),
            "pairs": [
                [int(pairs.of[i]), int(pairs.copies[i]), round(float(pairs.similarity[i]), 3)] for i in order[:60]
            ],
        }
    return result


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--classes", type=int, nargs="*", default=[0, 1, 2, 4, 7, 8])
    parser.add_argument("--per-kind", type=int, default=40)
    parser.add_argument("--cache", default="runs/cache")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load_dataset(arguments.data, cache_dir=arguments.cache)
    used = copy_search.SIMILAR
    copy_search.SIMILAR = min(THRESHOLDS)
    chosen_on = planted(dataset, CHOOSE, arguments.per_kind, seed=0)
    print(json.dumps(chosen_on), flush=True)
    reported = []
    for label in arguments.classes:
        reported.append(planted(dataset, label, arguments.per_kind, seed=0))
        print(json.dumps(reported[-1]), flush=True)
    samples = of_samples(dataset, SAMPLES_OF)
    copy_search.SIMILAR = used
    record = {
        "surroundings": surroundings(),
        "threshold": used,
        "chosen_on": chosen_on,
        "reported": reported,
        "samples": samples,
    }
    with atomic_write(RECORD) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
