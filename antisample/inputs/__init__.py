"""What an unlearning starts from: the request on its data, and everything that is loaded and checked once for it."""

from antisample.inputs.asked_images import by_position
from antisample.inputs.listening import SILENT, LoadingListener, SilentLoading
from antisample.inputs.loading import UnlearnInputs, load_inputs, reference_trainings
from antisample.inputs.opening import open_dataset, request_data
from antisample.inputs.request import RequestData

__all__ = [
    "SILENT",
    "LoadingListener",
    "RequestData",
    "SilentLoading",
    "UnlearnInputs",
    "by_position",
    "load_inputs",
    "open_dataset",
    "reference_trainings",
    "request_data",
]
