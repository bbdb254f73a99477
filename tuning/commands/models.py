"""Training the original model, and unlearning once."""

from pathlib import Path
from typing import Any

from antisample.device import choose_device, describe_device
from antisample.errors import ConfigError
from antisample.metrics import evaluate
from antisample.pretrain import pretrained_path
from antisample.unlearning import subject_of
from tuning.apply import apply_config, apply_trial, find_trial
from tuning.directory import open_study
from tuning.display import print_json
from tuning.options import direct_config, forget_request, selected
from tuning.progress import Progress, output
from tuning.requests import load_requests, mean, summed
from tuning.study_file import load_study


def pretrain(study: Path, overrides: list[str] | None, as_json: bool) -> None:
    """Trains or finds the original model of a study and prints its metrics."""
    config = load_study(study, overrides)
    console = output(stderr=as_json)
    unlearn_config = config.starting_config()
    device = choose_device(config.device)
    console.print(f"Device: {describe_device(device)}")
    progress = Progress(console)
    inputs = load_requests(config, progress.training_epoch, progress.reference_epoch)
    first = inputs[0]
    path = config.model.checkpoint or pretrained_path(
        config.model, first.dataset, first.splits, config.data.cache_dir, first.original.initial
    )
    initial = first.original.initial.origin
    model = first.original.build(first.dataset, device)
    found = [evaluate(subject_of(model, each, unlearn_config), ("validation", "test")) for each in inputs]
    metrics, counts = mean([each.values for each in found]), summed([each.counts for each in found])
    if as_json:
        print_json({"path": str(path), "initial_weights": initial, "metrics": metrics, "counts": counts})
        return
    console.print(f"Original model: {path}", soft_wrap=True)
    if config.model.checkpoint is None:
        console.print(f"  started from {initial}", soft_wrap=True)
    for name in ("forget_accuracy", "retain_accuracy"):
        console.print(
            f"  {name.replace('_', ' ')}: validation {metrics[f'validation/{name}']:.1%}, "
            f"test {metrics[f'test/{name}']:.1%}"
        )


def unlearn(
    out: Path, *, study: Path | None, trial: str | None, select: str | None, direct: dict[str, Any], as_json: bool
) -> None:
    """Unlearns once, with a trial of a study or without a study; see `apply_config`."""
    progress = Progress(output(stderr=as_json))
    if study is not None:
        given = [
            f"`--{'set' if name == 'overrides' else name}`"
            for name, value in direct.items()
            if value and name != "forget"
        ]
        if given:
            raise ConfigError(f"`--study` says everything itself, so {given[0]} cannot be given beside it.")
        if select is not None and trial not in (None, "best"):
            raise ConfigError(f"`--select` chooses the trial, so it cannot be given beside `--trial {trial}`.")
        opened = open_study(study, selected(select))
        request = forget_request(opened.config, direct["forget"])
        applied = apply_trial(opened, find_trial(opened, trial or "best"), request, out, progress)
    else:
        for name, value in (("trial", trial), ("select", select)):
            if value is not None:
                raise ConfigError(f"`--{name}` belongs to a study, so it cannot be given without `--study`.")
        config, origin = direct_config(direct)
        applied = apply_config(config, out, progress, origin)
    if as_json:
        print_json(applied)
