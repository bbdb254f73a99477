"""Listing, showing, exporting and importing what earlier requests tell."""

from pathlib import Path

from antisample.errors import ConfigError, DataError
from search_spaces import Value
from tuning.config.loading import load_study
from tuning.memory.discovery import IMPORTED, Earlier, earlier_studies, packaged_studies, study_in
from tuning.memory.evidence import EarlierStudy
from tuning.memory.files import read_memory, write_memory
from tuning.memory.settling import describe_memory, describe_skipped, settle_memory
from tuning.study.attributes import MEMORY, Remembered
from tuning.study.directory import open_study
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.fitted_table import Column, FittedTable


def list_studies(place: Path, *, as_json: bool) -> None:
    """Prints the studies of a folder or file, and those that are packaged."""
    earlier = _read(place)
    listed = [
        *((study, str(place)) for study in earlier.studies),
        *((each, "packaged") for each in packaged_studies()),
    ]
    if as_json:
        studies = [{**_facts(study), "from": source} for study, source in listed]
        print_json({"studies": studies, "left_out": list(earlier.skipped)})
        return
    names = ("study", "method", "model", "forgotten", "trials", "from")
    ranks = {"method": 2, "from": 1}
    table = FittedTable(
        "Earlier studies that new ones learn from",
        [Column(name, rank=ranks.get(name, 0), text=name != "trials") for name in names],
    )
    for study, source in listed:
        facts = _facts(study)
        table.add_row(*(str(facts[name]) for name in names[:-1]), source)
    console = output()
    console.print(table)
    for sentence in earlier.skipped:
        say(console, sentence)


def show(study: Path, *, as_json: bool) -> None:
    """Prints what a study has taken over, or what one of a file would take over now."""
    console = output()
    if study.is_dir():
        memory = open_study(study).noted(MEMORY)
        missing = "The study has no memory: it began with `memory: none`, or before there was one."
    else:
        config = load_study(study)
        # Which model and data it has is known when it begins; until then, others of the same network are nearest.
        memory = settle_memory(config, {}, [])
        missing = "The study has `memory: none`."
        if memory is not None and not as_json:
            say(console, "As far as can be told before the data and the model are loaded:")
    if as_json:
        print_json({"memory": memory})
    elif memory is None:
        say(console, missing)
    else:
        say(console, f"From memory: {describe_memory(memory)}")
        for line in describe_skipped(memory):
            say(console, line)
        if memory["configurations"]:
            console.print(_configurations(memory))


def export(file: Path, source: Path, *, as_json: bool) -> None:
    """Writes the studies of a folder or a memory file into a memory file."""
    if file.suffix != ".parquet":
        raise ConfigError(f"a memory file must be named *.parquet, but got {str(file)!r}.")
    if file.exists():
        raise DataError(f"{file}: exists already; choose another name, or delete it.")
    earlier = _read(source)
    if not earlier.studies:
        raise DataError(f"{source}: holds no study with a finished trial. {' '.join(earlier.skipped[:1])}".rstrip())
    write_memory(earlier.studies, file, f"antisample memory export, from {source.resolve().name}")
    _say_written(file, earlier, as_json=as_json)


def import_file(file: Path, runs_dir: Path, *, as_json: bool) -> None:
    """Copies a memory file to where the new studies of a folder look."""
    studies, origin = read_memory(file)
    target = runs_dir / IMPORTED / f"{file.stem}.parquet"
    if target.exists():
        raise DataError(f"{target}: exists already; rename the file to import it, or delete the earlier one.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{target.parent}: cannot be written ({error.strerror}).") from error
    write_memory(studies, target, origin)
    _say_written(target, Earlier(studies), as_json=as_json)


def _read(place: Path) -> Earlier:
    if place.is_file():
        return Earlier(read_memory(place)[0])
    if not place.is_dir():
        raise DataError(f"{place}: there is no such directory or file.")
    return study_in(place) if (place / "study.yaml").is_file() else earlier_studies(place)


def _facts(study: EarlierStudy) -> dict[str, str | int]:
    return {
        "study": study.name,
        "method": study.method,
        "model": study.request.architecture,
        "forgotten": study.forgotten,
        "trials": len(study.trials),
    }


def _configurations(memory: Remembered) -> FittedTable:
    columns = (
        Column("origin", text=True),
        Column("mean rank"),
        Column("requests"),
        Column("why", rank=1, text=True),
        Column("hyperparameters", rank=2, text=True),
    )
    table = FittedTable("Configurations from memory, in the order in which they are tried; rank 0 is best", columns)
    for each in memory["configurations"]:
        ranks = each["ranks"].values()
        mean = f"{sum(ranks) / max(1, len(ranks)):.2f}"
        params = ", ".join(f"{name} {_shown(value)}" for name, value in each["params"].items())
        table.add_row(each["origin"], mean, str(len(ranks)), each["why"], params)
    return table


def _shown(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _say_written(file: Path, earlier: Earlier, *, as_json: bool) -> None:
    n, trials = len(earlier.studies), sum(len(study.trials) for study in earlier.studies)
    if as_json:
        print_json({"file": str(file), "studies": n, "trials": trials, "left_out": list(earlier.skipped)})
        return
    console = output()
    for sentence in earlier.skipped:
        say(console, sentence)
    say(console, f"{file}: {trials} trials of {n} {'study' if n == 1 else 'studies'}")
