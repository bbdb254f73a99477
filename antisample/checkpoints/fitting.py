"""Fitting weights to a network: names with other prefixes, missing counters, and what to say if they do not fit."""

from collections.abc import Mapping

from torch import Tensor, nn

from antisample.checkpoints.checkpoint import Checkpoint
from antisample.checkpoints.unfitting import check_weights, refusal, type_name
from antisample.checkpoints.weight_names import Match, find_match, is_counter
from antisample.errors import DataError


def fitted_weights(
    model: nn.Module, checkpoint: Checkpoint, source: str
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Gives weights the names that a network has, and checks that they fit.

    Args:
        model: Tells names, shapes and types; left as it is.
        checkpoint: The weights, as a framework may have written them: with prefixes such as `module.`, `_orig_mod.`,
            `model.` or `net.`, beside those of other things, without counters of batches.
        source: Where they come from, for the message.

    Returns:
        All tensors by the network's names, and sentences about what was changed, those of the checkpoint first. Where
        nothing is changed the tensors are those of the checkpoint, under its names.

    Raises:
        DataError: If names, shapes, types or values do not fit.
    """
    weights, notes = named_weights(model, checkpoint, source)
    check_weights(model, weights, source)
    return weights, (*notes, *_conversions(model, weights))


def named_weights(model: nn.Module, checkpoint: Checkpoint, source: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The same without looking at shapes, types and values.

    Raises:
        DataError: If names belong to another architecture.
    """
    own, weights = model.state_dict(), checkpoint.state_dict
    match = find_match(list(own), list(weights), source)
    if match.missing or match.unknown:
        raise DataError(refusal(model, own, weights, match, source))
    if all(name == given for name, given in match.given.items()) and len(match.given) == len(weights) == len(own):
        return weights, checkpoint.notes
    counters = [name for name in own if is_counter(name) and name not in match.given]
    loaded = {name: weights[match.given[name]] if name in match.given else own[name].detach().clone() for name in own}
    return loaded, (*checkpoint.notes, *_changes(match, len(counters), len(weights)))


def _changes(match: Match, counters: int, n_names: int) -> list[str]:
    """What was done to the names, in sentences."""
    notes = []
    if match.removed:
        removed = " and ".join(f"`{part}`" for part in match.removed)
        kept = len(match.given) if match.left_out else n_names
        of = f"{kept} names of the checkpoint" if match.left_out else f"all {n_names} names of the checkpoint"
        one = len(match.removed) == 1
        notes.append(f"The {'prefix' if one else 'prefixes'} {removed} {'was' if one else 'were'} removed from {of}.")
    if match.added:
        notes.append(f"The prefix `{match.added}`, which the network has, was added to the names of the checkpoint.")
    if match.left_out:
        listed = ", ".join(f"`{name}`" for name in match.left_out[:3])
        more = f" and {len(match.left_out) - 3} more" if len(match.left_out) > 3 else ""
        rest = "was ignored, since it does" if len(match.left_out) == 1 else "were ignored, since they do"
        notes.append(f"Of the checkpoint, {listed}{more} {rest} not belong to the network.")
    if counters:
        notes.append(f"The checkpoint lacks {counters} batch counters (`num_batches_tracked`); they start at 0.")
    return notes


def _conversions(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    own = model.state_dict()
    kinds = {
        (type_name(tensor), type_name(own[name]))
        for name, tensor in weights.items()
        if own[name].is_floating_point() and tensor.dtype != own[name].dtype
    }
    return [f"The weights are {given}; the network computes with them as {here}." for given, here in sorted(kinds)]
