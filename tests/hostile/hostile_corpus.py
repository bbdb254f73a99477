"""The corpus of hostile inputs, made from a seed: what is drawn is the same each time."""

import copy
import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from hostile_files import checkpoint_items, data_items
from hostile_kinds import KINDS, NUMBERS, OTHER, TEXTS, addresses, replace
from hostile_runs import Item
from hostile_template import RECIPE

SEED = 20261128
# A study that is well else ends here, before Ray is started.
_NO_DEVICE = ("--set", "device=cuda:999")
_UNLEARN = ("unlearn", "--study", "made", "--out", "out")
_ALONE = ("unlearn", "--dataset", "digits", "--model", "SmallCNN", "--forget", "3", *RECIPE, "--out", "out")
_FILES = (
    *("journal.log", "journal.lock", "journal.lines", "mlflow.lock", "mlflow.json", "study.yaml", "study.id"),
    *("driver.json", "driver.lock", "trials.parquet", "report.html", "pareto.png", "depth.png", "hypervolume.png"),
    *("pictures", "checkpoints", "models", "mlflow-model"),
)
_READ_BY_ALL = (
    "journal.log",
    "journal.lock",
    "journal.lines",
    "study.yaml",
    "study.id",
    "mlflow.json",
    "driver.json",
)


def corpus(port: int) -> list[Item]:
    """All items; `port` is where nobody may connect to. A fifth is quick."""
    drawn = random.Random(SEED)
    items = [
        *_study_folders(drawn),
        *_study_files(drawn, port),
        *_journals(drawn),
        *_cards(drawn, port),
        *_arguments(drawn),
        *_clusters_and_spaces(drawn, port),
        *_read_only(),
        *checkpoint_items(_ALONE),
        *data_items(),
    ]
    names = [item.name for item in items]
    assert len(set(names)) == len(names)
    return items


def _study_folders(drawn: random.Random) -> Iterator[Item]:
    """Each file of a study's folder is something else."""
    for name in _FILES:
        kinds = list(KINDS)
        drawn.shuffle(kinds)
        commands = {"report": ("report", "made")}
        if name in _READ_BY_ALL:
            commands |= {"unlearn": _UNLEARN, "sync": ("mlflow", "sync", "made"), "resume": ("resume", "made")}
        for command, words in commands.items():
            for place, kind in enumerate(kinds[: 9 if command == "report" else 4]):
                make = partial(_replace, f"made/{name}", kind)
                yield Item(f"{command}: {name} is {kind}", words, make, is_quick=command == "report" and place < 2)


def _replace(name: str, kind: str, work: Path) -> None:
    replace(work / name, kind)


_STUDY_KEYS = (
    *("name", "runs_dir", "storage", "study_name", "tracking_uri", "storage_path", "sampler", "space", "device"),
    *("method", "data.source", "data.root", "data.cache_dir", "model.name", "model.checkpoint", "forget.0.classes.0"),
    *("published.0", "selection.rule", "n_trials", "seed", "replicates", "data.image_size", "evaluation.batch_size"),
    *("fixed.epochs", "model.recipe.epochs", "model.mean", "unknown", "constraints", "fidelity", "forget.0.samples"),
)
_YAML = {
    "aliases that multiply": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "an alias of itself": "name: &a [*a]\n",
    "merged keys that multiply": "a: &a {x: 1}\n" + "b: {<<: [" + ",".join(["*a"] * 100_000) + "]}\n",
    "deep nesting": "name: " + "[" * 100_000 + "\n",
    "deep closed nesting": "name: " + "[" * 20_000 + "]" * 20_000 + "\n",
    "deep blocks": "".join(" " * level + "a:\n" for level in range(2000)),
    "a number of 100,000 digits": "n_trials: " + "9" * 100_000 + "\n",
    "a number in base 60": "n_trials: " + "1:" * 50_000 + "1\n",
    "hexadecimal": "n_trials: 0x" + "f" * 100_000 + "\n",
    "a float of 100,000 digits": "seed: 1." + "9" * 100_000 + "\n",
    "an exponent": "seed: 1e999999999\n",
    "python/object": "name: !!python/object/apply:os.system ['touch imported']\n",
    "python/name": "name: !!python/name:canary_module.build\n",
    "python/module": "name: !!python/module:canary_module\n",
    "an unknown tag": "name: !\x41nything x\n",
    "binary": "name: !!binary /w==\n",
    "a date": "name: 9999-99-99\n",
    "two documents": "name: a\n---\nname: b\n",
    "a set": "name: !!set {a, b}\n",
    "a key that is a list": "? [a, b]\n: c\n",
    "a key that is a mapping": "? {a: b}\n: c\n",
    "a key that occurs twice": "name: a\nname: b\n",
    "a directive": "%YAML 9.9\n---\nname: a\n",
    "escapes in a key": '"\\e[31mred\\a": 1\n',
    "bidi in a key": '"\\u202egnp": 1\n',
    "markup in a key": '"[/bold] [red]": 1\n',
    "surrogates": 'name: "\\ud800"\n',
    "tabs": "name:\n\t- a\n",
    "a text of 20 MB": "name: " + "x" * 20_000_000 + "\n",
    "a million keys": "".join(f"k{number}: 1\n" for number in range(300_000)),
}


def _study_files(drawn: random.Random, port: int) -> Iterator[Item]:
    """Values and texts of a study's file that no program of ours has written."""
    odd = {**TEXTS, **NUMBERS, **OTHER, **addresses(port)}
    for key in _STUDY_KEYS:
        for place, name in enumerate(drawn.sample(list(odd), 5)):
            make = partial(_set_in_study, "study.yaml", key, odd[name])
            words = ("run", "study.yaml", *(_NO_DEVICE if key != "device" else ("--set", "n_trials=-1")))
            yield Item(f"run: {key} is {name}", words, make, codes=(2,), is_quick=place == 0)
            if place < 3:
                make = partial(_set_in_study, "made/study.yaml", key, odd[name])
                yield Item(f"report: {key} is {name}", ("report", "made"), make, is_quick=place == 1)
            if place < 1 and key != "data.cache_dir":  # which `unlearn` may use
                yield Item(f"unlearn: {key} is {name}", _UNLEARN, make)
                yield Item(f"sync: {key} is {name}", ("mlflow", "sync", "made"), make)
    for name, text in _YAML.items():
        for (
            command,
            words,
            file,
        ) in (
            ("run", ("run", "study.yaml", *_NO_DEVICE), "study.yaml"),
            ("report", ("report", "made"), "made/study.yaml"),
            ("spaces", ("spaces", "space.yaml"), "space.yaml"),
            ("render", ("cluster", "render", "slurm.yaml", "--study", "study.yaml"), "slurm.yaml"),
        ):
            codes = (0, 2) if command == "spaces" else (2,)
            make = partial(_write, file, text)
            yield Item(f"{command}: YAML with {name}", words, make, codes, is_quick=command == "run")
    for device in ("cuda:999", "cuda:-1", "cuda:x", "cuda:" + "9" * 400, "cuda:\u0661", "meta", "mps", "cpu:7"):
        for words in (("run", "study.yaml", "--set", f"device={device}"), (*_ALONE, "--set", f"device={device}")):
            codes = (0, 2) if words[0] == "unlearn" else (2,)
            yield Item(f"{words[0]}: device {device[:20]}", words, lambda _: None, codes, is_quick=words[0] == "run")


def _set_in_study(file: str, key: str, value: Any, work: Path) -> None:
    values = yaml.safe_load((work / file).read_text())
    _put(values, key.split("."), value)
    (work / file).write_text(yaml.safe_dump(values, allow_unicode=True))


def _put(values: Any, keys: list[str], value: Any) -> None:
    """Sets a value of nested keys and lists, which are made where they are missing."""
    for key in keys[:-1]:
        inner = values[int(key)] if isinstance(values, list) else values.get(key)
        if not isinstance(inner, dict | list) or not inner:
            inner = values[key] = {}
        values = inner
    if isinstance(values, list):
        values[int(keys[-1])] = value
    else:
        values[keys[-1]] = value


def _write(file: str, content: str | bytes, work: Path) -> None:
    (work / file).write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)


_LINES = {
    "an unknown operation": b'{"op_code": 99, "worker_id": "w"}',
    "10^400": b'{"op_code": 8, "worker_id": "w", "trial_id": 0, "user_attr": {"metrics": 1' + b"0" * 400 + b"}}",
    "10,000 digits": b'{"op_code": 8, "worker_id": "w", "trial_id": ' + b"9" * 10_000 + b"}",
    "deep nesting": b'{"op_code": 8, "user_attr": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "escapes": b'{"op_code": 8, "worker_id": "\\u001b[31m\\u202e", "trial_id": 0, "user_attr": {"\\u001b[1m": 1}}',
    "a raw escape": b'\x1b[31m{"op_code": 8}\x07',
    "a study named by markup": b'{"op_code": 0, "worker_id": "w", "study_name": "[/b]<a>", "directions": [1, 1]}',
    "no text": b"\xff\xfe\x00\x01",
}
_NOTES = ("class_names", "original", "environment", "endings", "confusions", "confirmations", "fingerprints", "id")
_ATTRIBUTES = ("metrics", "versions", "seeds", "origin", "error", "report.00001")


def _journals(drawn: random.Random) -> Iterator[Item]:
    """Journals that were cut, shuffled, or edited with and without the checks of their lines."""
    ways = {
        **{f"cut at {share} %": partial(_cut, share) for share in (1, 30, 60, 97)},
        **{f"line {at} removed": partial(_lines, at, lambda lines, at: lines.pop(at)) for at in (0, 1, 5, -1)},
        **{f"line {at} doubled": partial(_lines, at, lambda lines, at: lines.insert(at, lines[at])) for at in (0, 5)},
        **{f"line {at} moved": partial(_lines, at, lambda lines, at: lines.append(lines.pop(at))) for at in (0, 5)},
        **{f"digit {at} flipped": partial(_flip, at) for at in drawn.sample(range(200), 12)},
        **{f"{name} at {at}": partial(_insert, at, line) for name, line in _LINES.items() for at in (0, 6)},
    }
    odd = {name: value for name, value in {**TEXTS, **NUMBERS, **OTHER}.items() if name != "longest"}
    for name in (*_NOTES, *_ATTRIBUTES):
        for value in drawn.sample(list(odd), 2):
            ways[f"{name} is {value}"] = partial(_edit, name, odd[value], bare=False)
            ways[f"{name} holds {value}"] = partial(_edit, name, odd[value], bare=True)
    for place, (name, make) in enumerate(ways.items()):
        yield Item(f"report: journal with {name}", ("report", "made"), make, is_quick=place % 7 == 0)
        if place % 3 == 2:
            yield Item(f"report --json: journal with {name}", ("report", "made", "--json", "--rebuild"), make)
        if place % 3 == 0:
            yield Item(f"unlearn: journal with {name}", _UNLEARN, make)
        if place % 3 == 1:
            yield Item(f"sync: journal with {name}", ("mlflow", "sync", "made"), make)


def _cut(share: int, work: Path) -> None:
    path = work / "made" / "journal.log"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * share // 100])


def _lines(at: int, change: Any, work: Path) -> None:
    path = work / "made" / "journal.log"
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines, at)
    path.write_bytes(b"".join(lines))


def _flip(at: int, work: Path) -> None:
    path = work / "made" / "journal.log"
    content = bytearray(path.read_bytes())
    digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    content[digits[at % len(digits)]] ^= 1
    path.write_bytes(bytes(content))


def _insert(at: int, line: bytes, work: Path) -> None:
    path = work / "made" / "journal.log"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:at], line + b"\n", *lines[at:]]))


def _edit(name: str, value: Any, work: Path, *, bare: bool) -> None:
    """Appends what another program could: a note of the study, or an attribute of the first trial."""
    path = work / "made" / "journal.log"
    content = value if not bare else {"a": value} if name not in ("class_names", "endings", "seeds") else [value] * 10
    who = {"op_code": 2, "study_id": 0} if name in _NOTES else {"op_code": 8, "trial_id": 0}
    with path.open("ab") as file:
        file.write(json.dumps({**who, "worker_id": "w", "user_attr": {name: content}}).encode() + b"\n")


def _cards(drawn: random.Random, port: int) -> Iterator[Item]:
    """A leaf of a card is something else, or the card is no card."""
    odd = {**TEXTS, **NUMBERS, **OTHER, **addresses(port)}
    for place, number in enumerate(drawn.sample(range(10**6), 110)):
        value = drawn.choice(list(odd))
        words = ("verify", "card/card.json")
        make = partial(_set_leaf, number, odd[value])
        yield Item(f"verify: leaf {number} is {value}", words, make, is_quick=place < 10)
    texts = {
        "10^400": '{"seed": 1' + "0" * 400 + "}",
        "10,000 digits": '{"seed": ' + "9" * 10_000 + "}",
        "a key twice": '{"seed": 1, "seed": 2}',
        "NaN": '{"seed": NaN}',
        "a list": "[1, 2]",
        "escapes": '{"\\u001b[31m": "\\u202e"}',
        "40 MB": '{"command": "' + "x" * 40_000_000 + '"}',
    }
    for name, text in texts.items():
        yield Item(
            f"verify: a card with {name}", ("verify", "card/card.json"), partial(_write, "card/card.json", text)
        )
    for kind in KINDS:
        for file in ("card.json", "card.md", "model.safetensors"):
            make = partial(_replace, f"card/{file}", kind)
            yield Item(f"verify: {file} is {kind}", ("verify", "card/card.json"), make, is_quick=file != "card.md")
    for name in ("../../canary/secret.txt", "/etc/passwd", "/dev/zero", "../made/journal.log", "\x1b[1m", "x" * 300):
        make = partial(_set_file, name)
        yield Item(f"verify: the model is {name[:30]!r}", ("verify", "card/card.json"), make, (1, 2))


def _set_leaf(number: int, value: Any, work: Path) -> None:
    path = work / "card" / "card.json"
    values = json.loads(path.read_text())
    leaves = list(_leaves(values))
    keys = leaves[number % len(leaves)]
    target = values
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = copy.deepcopy(value)
    path.write_text(json.dumps(values))


def _leaves(values: Any, keys: tuple = ()) -> Iterator[tuple]:
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in inner:
        yield (*keys, key)
        yield from _leaves(value, (*keys, key))


def _set_file(name: str, work: Path) -> None:
    path = work / "card" / "card.json"
    values = json.loads(path.read_text())
    values["files"][0]["file"] = name
    path.write_text(json.dumps(values))


def _arguments(drawn: random.Random) -> Iterator[Item]:
    """Each argument that takes a file is given something else."""
    render = ("cluster", "render")
    places = {
        "run": ("run", "X", *_NO_DEVICE),
        "run --cluster": ("run", "study.yaml", *_NO_DEVICE, "--cluster", "X"),
        "run --warm-start": ("run", "study.yaml", *_NO_DEVICE, "--warm-start", "X"),
        "run --checkpoint": ("run", *_ALONE[1:7], "--checkpoint", "X", *_NO_DEVICE),
        "run space": ("run", "study.yaml", *_NO_DEVICE, "--set", "space=X.yaml"),
        "run --forget-samples": ("run", *_ALONE[1:5], "--forget-samples", "X", *_NO_DEVICE),
        "resume": ("resume", "X"),
        "resume --cluster": ("resume", "made", "--cluster", "X"),
        "pretrain": ("pretrain", "X"),
        "report": ("report", "X"),
        "verify": ("verify", "X"),
        "verify --study": ("verify", "card/card.json", "--study", "X"),
        "unlearn --study": ("unlearn", "--study", "X", "--out", "out"),
        "unlearn --forget-samples": (*_ALONE[:5], *RECIPE, "--out", "out", "--forget-samples", "X"),
        "unlearn --forget-samples CSV": (*_ALONE[:5], *RECIPE, "--out", "out", "--forget-samples", "X.csv"),
        "unlearn --forget-samples Parquet": (*_ALONE[:5], *RECIPE, "--out", "out", "--forget-samples", "X.parquet"),
        "unlearn --checkpoint": (*_ALONE, "--checkpoint", "X"),
        "unlearn --dataset": ("unlearn", "--dataset", "./X", *_ALONE[3:]),
        "spaces": ("spaces", "X.yaml"),
        "render": (*render, "X", "--study", "study.yaml"),
        "render --study": (*render, "slurm.yaml", "--study", "X"),
        "sync": ("mlflow", "sync", "X"),
    }
    for place, words in places.items():
        quick = ("a pipe", "a link to zero", "no UTF-8")
        for kind in (*quick, *drawn.sample([kind for kind in KINDS if kind not in quick], 6)):
            codes = (0, 1, 2) if kind == "a folder" or "--study" in place else (2,)
            name = next(word for word in words if "X" in word).removeprefix("space=").removeprefix("./")
            is_quick = kind in quick
            yield Item(f"{place}: {kind}", words, partial(_replace, name, kind), codes, is_quick)
        for device in ("/dev/zero", "/dev/tty", "/proc/self/mem"):
            if "X." not in "".join(words):
                said = tuple(word.replace("./X", device).replace("X", device) for word in words)
                yield Item(f"{place}: {device}", said, codes=(2,), is_quick=device == "/dev/zero" and "run" in place)


_CLUSTER_KEYS = (
    *("launcher", "shared_dir", "nodes", "cpus_per_node", "mem", "time", "partition", "account", "qos", "options.0"),
    *("setup.0", "tracking_uri", "end_early_s", "gpus_per_node", "unknown"),
)
_SPACE_KEYS = (
    "method",
    "parameters",
    "parameters.learning_rate",
    "parameters.epochs.low",
    "parameters.epochs.reason",
)


def _clusters_and_spaces(drawn: random.Random, port: int) -> Iterator[Item]:
    odd = {**TEXTS, **NUMBERS, **OTHER, **addresses(port)}
    for key in _CLUSTER_KEYS:
        for place, name in enumerate(drawn.sample(list(odd), 5)):
            words = ("cluster", "render", "slurm.yaml", "--study", "study.yaml")
            make = partial(_set_in_study, "slurm.yaml", key, odd[name])
            yield Item(f"render: {key} is {name}", words, make, is_quick=place == 0)
    for key in _SPACE_KEYS:
        for place, name in enumerate(drawn.sample(list(odd), 6)):
            make = partial(_set_in_study, "space.yaml", key, odd[name])
            yield Item(f"spaces: {key} is {name}", ("spaces", "space.yaml"), make, is_quick=place == 0)
    for key in ("name", "runs_dir", "data.source", "model.checkpoint"):
        for name in TEXTS:
            words = ("cluster", "render", "slurm.yaml", "--study", "study.yaml", "--out", "rendered")
            make = partial(_set_in_study, "study.yaml", key, TEXTS[name])
            yield Item(f"render: the study's {key} is {name}", words, make)


def _read_only() -> Iterator[Item]:
    """The study's folder turns read-only in the middle."""
    commands = {
        "report": ("report", "made"),
        "rebuild": ("report", "made", "--rebuild"),
        "sync": ("mlflow", "sync", "made", "--tracking-uri", "sqlite:///new.db"),
        "unlearn": ("unlearn", "--study", "made", "--out", "made/out"),
        "unlearn beside": _UNLEARN,
        "resume": ("resume", "made"),
        "verify": ("verify", "card/card.json"),
    }
    for name, words in commands.items():
        for write in (1, 2, 3, 4, 5, 7, 9, 12, 15):
            quick = name == "report" and write < 3
            yield Item(f"{name}: read-only from write {write} on", words, is_quick=quick, read_only_from=write)
