"""What the probe of a network is compared with: the original, which knows the class, and an untrained network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STANDARD_ERRORS = 2


@dataclass(frozen=True)
class ProbeAnchors:
    """What the probe says of the original and of an untrained network of the same architecture.

    Attributes:
        original: The original's metrics, by `<part>/<name>`.
        untrained: Those of the untrained network.
        few_original: For each forgotten class, ascending, the original's `probe_few`.
        few_untrained: The untrained network's.
        standard_errors: Of the difference of the two, for each class.
    """

    original: Mapping[str, float]
    untrained: Mapping[str, float]
    few_original: tuple[float, ...]
    few_untrained: tuple[float, ...]
    standard_errors: tuple[float, ...]

    @property
    def informative_classes(self) -> tuple[bool, ...]:
        """For each forgotten class, whether the original is ahead by at least two standard errors."""
        rows = zip(self.few_original, self.few_untrained, self.standard_errors, strict=True)
        return tuple(
            original - untrained >= max(STANDARD_ERRORS * error, 1e-9) for original, untrained, error in rows
        )

    @property
    def informative(self) -> bool:
        """Whether the probe can tell anything: whether it does of any forgotten class."""
        return any(self.informative_classes)

    def left(self, few: Sequence[float]) -> tuple[float, ...]:
        """How much is left of each class of which the probe can tell: 1 as in the original, 0 as in an untrained one.

        Args:
            few: For each forgotten class, a network's `probe_few`.

        Returns:
            Any finite numbers; (1.0,) where the probe can tell nothing, since nothing was shown to be gone.
        """
        rows = zip(few, self.few_original, self.few_untrained, self.informative_classes, strict=True)
        told = tuple((value - low) / (high - low) for value, high, low, is_informative in rows if is_informative)
        return told or (1.0,)

    def error(self, of_few: Sequence[float]) -> float:
        """The standard error of the mean of `left`; 0 where the probe can tell nothing.

        Args:
            of_few: For each forgotten class, the standard error of the network's `probe_few`.
        """
        rows = zip(of_few, self.few_original, self.few_untrained, self.informative_classes, strict=True)
        scaled = [error / (high - low) for error, high, low, is_informative in rows if is_informative]
        return math.sqrt(sum(each**2 for each in scaled)) / len(scaled) if scaled else 0.0

    def notes(self, names: Sequence[str]) -> tuple[str, ...]:
        """Says of which classes the probe tells nothing, in a sentence.

        Args:
            names: Of the forgotten classes, ascending by label.
        """
        rows = zip(names, self.few_original, self.few_untrained, self.informative_classes, strict=True)
        silent = [
            f"{name}: {original:.1%} and {untrained:.1%}"
            for name, original, untrained, is_informative in rows
            if not is_informative
        ]
        if not silent:
            return ()
        consequence = "is left out of `probe_left`" if self.informative else "`probe_left` is 1 and decides nothing"
        if self.informative and len(silent) > 1:
            consequence = "are left out of `probe_left`"
        what = "These classes" if len(silent) > 1 else "This class"
        ending = f"{what} {consequence}." if self.informative else f"So {consequence}."
        return (
            "The probe is uninformative: with 10 labels per class, it recognises about as many forget images by the "
            f"original model as by an untrained network ({'; '.join(silent)}). {ending}",
        )
