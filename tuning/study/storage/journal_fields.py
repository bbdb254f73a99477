"""Which fields the records of an Optuna journal have, and of which types: Optuna reads whatever stands there."""

from collections.abc import Callable, Mapping
from typing import Any

from optuna.storages.journal._storage import JournalOperation as Kind
from optuna.trial import TrialState

_Check = Callable[[Any], bool]
_STATES = frozenset(state.value for state in TrialState)


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _number(value: Any) -> bool:
    return type(value) is float or _whole(value)


def _state(value: Any) -> bool:
    return _whole(value) and value in _STATES


def _text(value: Any) -> bool:
    return type(value) is str


def _attribute(value: Any) -> bool:
    return type(value) is dict and len(value) == 1


def _is_map(value: Any) -> bool:
    return type(value) is dict


def _numbers(value: Any) -> bool:
    return type(value) is list and all(map(_number, value))


def _number_map(value: Any) -> bool:
    return type(value) is dict and all(map(_number, value.values()))


def _nothing_or(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


_STUDY: dict[str, _Check] = {"study_id": _whole}
_TRIAL: dict[str, _Check] = {"trial_id": _whole}
_FIELDS: Mapping[int, dict[str, _Check]] = {
    Kind.CREATE_STUDY: {"study_name": _text, "directions": lambda value: _numbers(value) and len(value) > 0},
    Kind.DELETE_STUDY: _STUDY,
    Kind.SET_STUDY_USER_ATTR: {**_STUDY, "user_attr": _attribute},
    Kind.SET_STUDY_SYSTEM_ATTR: {**_STUDY, "system_attr": _attribute},
    Kind.CREATE_TRIAL: _STUDY,
    Kind.SET_TRIAL_PARAM: {**_TRIAL, "param_name": _text, "param_value_internal": _number, "distribution": _text},
    Kind.SET_TRIAL_STATE_VALUES: {**_TRIAL, "state": _state, "values": _nothing_or(_numbers)},
    Kind.SET_TRIAL_INTERMEDIATE_VALUE: {**_TRIAL, "step": _whole, "intermediate_value": _number},
    Kind.SET_TRIAL_USER_ATTR: {**_TRIAL, "user_attr": _attribute},
    Kind.SET_TRIAL_SYSTEM_ATTR: {**_TRIAL, "system_attr": _attribute},
}
_OF_A_NEW_TRIAL: dict[str, _Check] = {
    "state": _state,
    "value": _nothing_or(_number),
    "values": _nothing_or(_numbers),
    "params": _number_map,
    "distributions": _is_map,
    "user_attrs": _is_map,
    "system_attrs": _is_map,
    "intermediate_values": _number_map,
}


def has_its_fields(log: dict[str, Any]) -> bool:
    """Whether a record has the fields of its kind, each of its type.

    Args:
        log: Its kind is one of Optuna's.
    """
    kind = log["op_code"]
    if not _text(log.get("worker_id")):
        return False
    for name, check in _FIELDS.get(kind, {}).items():
        if name not in log or not check(log[name]):
            return False
    if kind == Kind.CREATE_TRIAL:
        return all(check(log[name]) for name, check in _OF_A_NEW_TRIAL.items() if name in log)
    return True
