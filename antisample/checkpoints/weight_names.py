"""Which name of a checkpoint is which of a network: prefixes that wrappers put before all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from antisample.errors import DataError

# Parts of a name that wrappers of torch's put into it, wherever they stand: DataParallel, compile and the like.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_NO_WEIGHTS = ("n_averaged", "criterion", "loss", "loss_fn", "loss_function", "metric", "metrics")


@dataclass(frozen=True)
class Match:
    """How the names of a checkpoint and of a network belong together.

    Attributes:
        given: For each name of the network, that of the checkpoint, where there is one.
        missing: Names of the network that the checkpoint lacks and that cannot be made.
        unknown: Names of the checkpoint that the network lacks.
        removed: What was removed from the checkpoint's names.
        added: The prefix that the network's names have and the checkpoint's lack.
        left_out: Names of the checkpoint that clearly belong to something else.
    """

    given: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    added: str = ""
    left_out: tuple[str, ...] = ()


def is_counter(name: str) -> bool:
    """Whether a name is that of a counter of batches, which files of old versions of torch lack."""
    return name.rpartition(".")[2] == "num_batches_tracked"


def find_match(own: Sequence[str], given: Sequence[str], source: str) -> Match:
    """Finds the prefixes whose removal makes all names fit.

    Args:
        own: Names of the network.
        given: Names of the checkpoint.
        source: Where the checkpoint comes from, for the message.

    Returns:
        A match without missing and unknown names; where there is none, the best one for a message.

    Raises:
        DataError: If the names fit under several prefixes and nothing says which is meant.
    """
    matches = [_match(own, given, *way) for way in _ways(own, given)]
    fits = [match for match in matches if not match.missing]
    if matches[0] in fits:  # nothing has to be removed
        return _without_copies(matches[0], fits)
    if not fits:
        best = max(matches, key=lambda match: (len(match.given), -len(match.removed), not match.added))
        return best if 2 * len(best.given) >= len(own) else matches[0]
    plain = [match for match in fits if not any("ema" in part.lower() for part in match.removed)] or fits
    if len({frozenset(match.given.values()) for match in plain}) > 1:
        prefixes = ", ".join(dict.fromkeys(f"`{''.join(match.removed)}`" for match in plain))
        raise DataError(
            f"{source}: the names of the network match several prefixes in the checkpoint, {prefixes}; save "
            "the intended weights with `torch.save(model.state_dict(), path)`."
        )
    return _without_copies(plain[0], fits)


def _ways(own: Sequence[str], given: Sequence[str]) -> Iterator[tuple[bool, str, str]]:
    """What may be removed: wrappers inside names, a prefix of the checkpoint's, and one of the network's."""
    for unwrapped in (False, True):
        mine = [_unwrapped(name) if unwrapped else name for name in own]
        theirs = [_unwrapped(name) if unwrapped else name for name in given]
        if unwrapped and (len(set(theirs)) < len(theirs) or (mine == list(own) and theirs == list(given))):
            continue
        for added in _common_prefixes([name for name in mine if not is_counter(name)]):
            ends = {name[len(added) :] for name in mine if not is_counter(name)}
            prefixes = {
                name[: len(name) - len(end)]
                for end in sorted(ends, key=len)[-3:]
                for name in theirs
                if name == end or name.endswith(f".{end}")
            }
            for prefix in sorted({"", *prefixes}, key=lambda prefix: (len(prefix), prefix)):
                if not (prefix and added.endswith(prefix)):
                    yield unwrapped, prefix, added


def _match(own: Sequence[str], given: Sequence[str], unwrapped: bool, prefix: str, added: str) -> Match:
    theirs = {_unwrapped(name) if unwrapped else name: name for name in given}
    wanted = {name: prefix + (_unwrapped(name) if unwrapped else name)[len(added) :] for name in own}
    matched = {name: theirs[key] for name, key in wanted.items() if key in theirs}
    used = set(matched.values())
    others = [name for name in given if name not in used]
    left_out = [
        name
        for name in others
        if (prefix and not (_unwrapped(name) if unwrapped else name).startswith(prefix))
        or any(part in _NO_WEIGHTS for part in name.split(".")[:1])
    ]
    inside = sorted({part for name in given for part in name.split(".") if part in _WRAPPERS}) if unwrapped else []
    return Match(
        matched,
        tuple(name for name in own if name not in matched and not is_counter(name)),
        tuple(name for name in others if name not in left_out),
        (*(f"{part}." for part in inside), *([prefix] if prefix else [])),
        added,
        tuple(left_out),
    )


def _without_copies(match: Match, fits: Sequence[Match]) -> Match:
    """Names under another prefix that makes all names fit are those of a copy, such as an average."""
    copies = {name for other in fits for name in other.given.values()}
    copied = [name for name in match.unknown if name in copies]
    if not copied:
        return match
    unknown = tuple(name for name in match.unknown if name not in copies)
    return Match(match.given, match.missing, unknown, match.removed, match.added, (*match.left_out, *copied))


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _common_prefixes(names: Sequence[str]) -> list[str]:
    """Prefixes that all names have, from none to the longest, each with its full stop."""
    prefixes = [""]
    if names:
        parts = [name.split(".")[:-1] for name in names]
        for level in zip(*parts, strict=False):
            if len(set(level)) > 1:
                break
            prefixes.append(f"{prefixes[-1]}{level[0]}.")
    return prefixes
