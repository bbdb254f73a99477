"""What came of forgetting in memory: the model, its figures beside others, its card and its files."""

import html
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from antisample.errors import ConfigError
from antisample.export.card import UnlearningCard
from antisample.export.card_file import CARD_FILES, write_card
from antisample.export.card_parts import CardMetric
from antisample.export.model_files import WEIGHTS_FILE, write_model
from antisample.export.unlearned import FinishedUnlearning, Provenance, unlearning_card
from antisample.storage.atomic import check_writable

_COMPARED = ("original", "unlearned", "retrained", "mask", "untrained")


@dataclass(frozen=True)
class ForgetResult:
    """A model that has forgotten.

    Attributes:
        model: The unlearned model: a new object, of the class and on the device of the one that was given, in eval
            mode.
        metrics: What was measured of it, by `<part>/<metric>`; docs/metrics.md defines each.
        rows: The same beside the original, a mask over the forgotten classes and an untrained network.
        notes: What people should know, in sentences.
    """

    model: nn.Module
    metrics: dict[str, float]
    rows: tuple[CardMetric, ...]
    notes: tuple[str, ...]
    _finished: FinishedUnlearning = field(repr=False)
    _provenance: Provenance = field(repr=False)

    def card(self) -> UnlearningCard:
        """The card: what was done, on which data, and what came of it."""
        return self._card

    def save(self, folder: Path | str) -> UnlearningCard:
        """Writes `model.safetensors`, `card.json` and `card.md`.

        Args:
            folder: Where to; made if missing.

        Returns:
            The card.

        Raises:
            DataError: If the folder cannot be written.
        """
        out = Path(folder)
        check_writable(out, (WEIGHTS_FILE, *CARD_FILES))
        card = self._written(out)
        write_card(out, card)
        return card

    def to_dataframe(self) -> Any:
        """The figures as a pandas DataFrame: a row for each metric, a column for each model.

        Raises:
            ConfigError: If pandas is not installed.
        """
        pandas = needed_package("pandas", "`to_dataframe`")
        rows = [{"metric": row.name, "images": row.images, **_figures(row)} for row in self.rows]
        frame = pandas.DataFrame(rows).set_index("metric")
        return frame.dropna(axis="columns", how="all")

    def plot(self) -> Any:
        """Accuracies on test images of this model and of those that it is compared with, as a matplotlib figure.

        Raises:
            ConfigError: If matplotlib is not installed.
        """
        pyplot = needed_package("matplotlib.pyplot", "`plot`")
        figure, axis = pyplot.subplots(figsize=(6, 3), layout="constrained")
        by_name = {row.name: _figures(row) for row in self.rows}
        forget, retain = by_name["test/forget_accuracy"], by_name["test/retain_accuracy"]
        models = [name for name in _COMPARED if forget[name] is not None and retain[name] is not None]
        places = range(len(models))
        for shift, label, values in ((-0.2, "forget", forget), (0.2, "retain", retain)):
            axis.bar([place + shift for place in places], [values[name] for name in models], 0.4, label=label)
        axis.set(xticks=list(places), xticklabels=models, ylim=(0, 1), ylabel="test accuracy")
        axis.legend()
        pyplot.close(figure)
        return figure

    def __repr__(self) -> str:
        forget, retain = (self.metrics[f"test/{part}_accuracy"] for part in ("forget", "retain"))
        return f"<{type(self).__name__}: test forget accuracy {forget:.1%}, retain accuracy {retain:.1%}>"

    def _repr_html_(self) -> str:
        columns = [name for name in _COMPARED if any(_figures(row)[name] is not None for row in self.rows)]
        head = "".join(f"<th>{name}</th>" for name in ("metric", "images", *columns))
        body = "".join(
            f"<tr><td>{html.escape(row.name)}</td><td>{'' if row.images is None else row.images}</td>"
            + "".join(f"<td>{_cell(_figures(row)[name])}</td>" for name in columns)
            + "</tr>"
            for row in self.rows
        )
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return f"<table><tr>{head}</tr>{body}</table>" + (f"<ul>{notes}</ul>" if notes else "")

    @cached_property
    def _card(self) -> UnlearningCard:
        with tempfile.TemporaryDirectory() as folder:
            return self._written(Path(folder))

    def _written(self, folder: Path) -> UnlearningCard:
        """Writes the model, and makes the card that states its file."""
        files, _ = write_model(self._finished.running, folder, ())
        return unlearning_card(self._finished, self._provenance, files, self.rows)


def needed_package(module: str, what: str) -> Any:
    """A package that only some need.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigError(f"{what} needs {package}, which is not installed: `pip install {package}`.") from error


def _figures(row: CardMetric) -> dict[str, float | None]:
    return {name: getattr(row, name) for name in _COMPARED}


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
