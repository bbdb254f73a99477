"""The jobs that a reproduction consists of: every method and seed for every forget request of its protocol."""

import hashlib
import json
from dataclasses import dataclass, field

from antisample.config import UnlearnConfig
from antisample.metrics import EvaluationConfig, needing_reference
from antisample.seeds import derive
from tuning.reproduction.config import RETRAIN, ReproductionConfig

ORIGINAL, UNTRAINED = "original", "untrained"
_LATER_KEYS = ("arguments", "normalisation", "stages")
_LATER_LEVERS = (
    *("optimizer", "momentum", "weight_decay", "schedule", "warmup", "augment", "max_shift"),
    *("distillation", "distillation_temperature", "reinitialise", "anti_sample_weight"),
)


@dataclass(frozen=True)
class Job:
    """One unlearning, retraining, or evaluation of the original.

    Attributes:
        label: As in `ReproductionConfig.methods`, or `original` or `untrained`.
        classes: What is forgotten.
        seed_index: Which repetition.
        config: What `unlearn` gets.
        reference_seed: Seed of the reference it is compared with, and of the reference itself for `retrain`.
    """

    label: str
    classes: tuple[int, ...]
    seed_index: int
    config: UnlearnConfig = field(hash=False)  # its `model.arguments` may hold lists
    reference_seed: int

    def file_name(self, inputs: str) -> str:
        """Name of its result file; holds a digest of everything that the result depends on.

        Args:
            inputs: Fingerprints of what the configuration merely points to: data, original model, initial weights.
        """
        content = self.config.model_dump(mode="json", exclude={"data": {"cache_dir", "root", "download"}})
        # As before there were such keys, and when requests held labels: what is finished stays finished.
        model = content["model"]
        del model["accept_original"]
        content["model"] = {key: model[key] for key in model if model[key] or key not in _LATER_KEYS}
        content["forget"] = {"classes": list(self.classes)}
        fields = type(self.config.method).model_fields
        content["method"] = {
            name: value
            for name, value in content["method"].items()
            if name not in _LATER_LEVERS or value != fields[name].default
        }
        text = json.dumps([self.label, content, self.reference_seed, inputs], sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
        label = self.label.replace("/", "-")
        return f"{'-'.join(map(str, self.classes))[:80]}_{label}_{self.seed_index}_{digest}.json"


def without_reference(evaluation: EvaluationConfig) -> EvaluationConfig:
    """The same evaluation without the metrics that need a retrained reference."""
    compared = needing_reference(evaluation.final)
    final = tuple(name for name in evaluation.final if name not in compared)
    return evaluation.model_copy(update={"final": final, "reference_seeds": 1})


def plan_jobs(config: ReproductionConfig, dataset_name: str, class_names: tuple[str, ...]) -> list[Job]:
    """All jobs, request by request: the original, references, then the methods.

    Args:
        config: The reproduction.
        dataset_name: As in the published tables.
        class_names: Of the data set.

    Returns:
        Jobs; those of one request stand together, so that a partial table has whole rows.
    """
    plain = without_reference(config.evaluation)
    compared = plain
    if RETRAIN in config.methods:
        compared = plain.model_copy(update={"final": EvaluationConfig(final=(*plain.final, "retrained")).final})
    jobs = []
    for classes in config.requests(class_names):
        for label in (ORIGINAL, UNTRAINED, *sorted(dict.fromkeys(config.methods), key=lambda name: name != RETRAIN)):
            measured = label in (ORIGINAL, UNTRAINED)
            method = {"name": RETRAIN} if measured else config.method_values(label, dataset_name)
            seeds = 1 if measured or label == "mask" else config.seeds
            seeds = config.reference_seeds if label == RETRAIN else seeds
            for index in range(seeds):
                reference_seed = derive(config.seed, "reference", index % config.reference_seeds) % 2**31
                unlearn_config = UnlearnConfig.parse(
                    {
                        "data": config.data,
                        "split": config.split,
                        "model": config.model,
                        "forget": {"classes": [class_names[label] for label in classes]},
                        "method": method,
                        "seed": derive(config.seed, "repetition", index) % 2**31,
                        "device": config.device,
                        # A reference compared with itself is always perfect, which tells nothing.
                        "evaluation": plain if label == RETRAIN else compared,
                    }
                )
                jobs.append(Job(label, classes, index, unlearn_config, reference_seed))
    return jobs
