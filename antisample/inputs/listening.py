"""Who is told what happens while inputs are loaded."""

from collections.abc import Sequence
from typing import Protocol

from antisample.inputs.request import RequestData
from antisample.methods import OriginalModel
from antisample.metrics.forgetting import Forgetting
from antisample.metrics.original_accuracy import OriginalAccuracy


class LoadingListener(Protocol):
    """Is told what happens while inputs are loaded; the methods of subclasses show it to a person."""

    def copies_searched(self, share: float, elapsed_s: float) -> None:
        """This share of the other images of a split was searched for copies of images to forget."""

    def data_loaded(self, requests: Sequence[RequestData]) -> None:
        """The data is there, and it is known what each request will forget; all work is still to come."""

    def original_loaded(self, original: OriginalModel, accuracy: OriginalAccuracy, request: Forgetting) -> None:
        """The original model is there and has been measured."""

    def training_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """An epoch of training the original model is done."""

    def reference_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """An epoch of training the retrained reference is done."""


class SilentLoading:
    """A `LoadingListener` that shows nothing."""

    def copies_searched(self, share: float, elapsed_s: float) -> None:
        """Nothing."""

    def data_loaded(self, requests: Sequence[RequestData]) -> None:
        """Nothing."""

    def original_loaded(self, original: OriginalModel, accuracy: OriginalAccuracy, request: Forgetting) -> None:
        """Nothing."""

    def training_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """Nothing."""

    def reference_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """Nothing."""


SILENT: LoadingListener = SilentLoading()
