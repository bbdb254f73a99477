"""From the flags of `reproduce` to its configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antisample.data.class_names import split_names
from antisample.errors import ConfigError
from tuning.cli.overriding import listed, model_values
from tuning.config.loading import override_value
from tuning.reproduction.config import ReproductionConfig


@dataclass(frozen=True, kw_only=True)
class ReproductionFlags:
    """The flags of `reproduce`, as the command line gives them."""

    model: str
    dataset: str
    protocol: str
    retain: float
    methods: str
    classes: str | None
    sizes: str
    draws: str
    seeds: int
    reference_seeds: int
    root: Path | None
    checkpoint: Path | None
    normalisation: str | None
    accept_original: bool
    out: Path | None
    seed: int
    overrides: list[str] | None


def reproduction_config(flags: ReproductionFlags) -> ReproductionConfig:
    """The reproduction that the flags ask for.

    Raises:
        ConfigError: With every problem found.
    """
    percent, dataset = flags.retain, flags.dataset
    name = "-".join([flags.protocol, Path(flags.model).name, Path(dataset).name, f"{percent:g}"])
    values: dict[str, Any] = {
        "out": flags.out or Path("runs") / f"reproduce-{name.replace(':', '.')}",
        "protocol": flags.protocol,
        "data": {"source": dataset, "root": flags.root},
        "model": model_values(
            flags.model, flags.checkpoint, flags.normalisation, accept_original=flags.accept_original
        ),
        "retain": percent,
        "methods": listed(flags.methods),
        "sizes": _numbers("sizes", flags.sizes),
        "draws": _numbers("draws", flags.draws),
        "seeds": flags.seeds,
        "reference_seeds": flags.reference_seeds,
        "seed": flags.seed,
    }
    if flags.classes not in (None, "all"):
        values["classes"] = split_names(flags.classes)
    values["all_classes"] = flags.classes == "all"
    for override in flags.overrides or []:
        override_value(values, override, ReproductionConfig)
    return ReproductionConfig.parse(values)


def _numbers(flag: str, text: str) -> list[int]:
    try:
        return [int(part) for part in listed(text)]
    except ValueError:
        raise ConfigError(f"`--{flag}` must be whole numbers separated by commas, but got {text!r}.") from None
