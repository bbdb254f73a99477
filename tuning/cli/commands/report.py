"""Looking at a study, where Ray and MLflow are not needed."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from antisample.errors import ConfigError
from tuning.cli.commands.comparison import compare_studies
from tuning.cli.overriding import selected
from tuning.config.command_lines import program, shown_path
from tuning.config.study import StudyConfig
from tuning.study.attributes import ID
from tuning.study.directory import open_study
from tuning.study.identity import copied_from
from tuning.study.lost_trials import lost_trials
from tuning.study.outcome import find_outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import describe_added_trials
from tuning.trust.addresses import is_own_storage
from tuning.trust.own_studies import agreed_of_study
from tuning.views.mlflow.delivered import kept_link
from tuning.views.projections import copy_projections, rewrite_projections
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.outcome import print_outcome

_PAGE = "comparison.html"


def report_or_compare(
    directories: Sequence[Path],
    *,
    select: str | None,
    storage: str | None,
    rebuild: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """The report of one study, or a comparison of several.

    Raises:
        ConfigError: If an option is given that the other of both has.
    """
    if len(directories) == 1:
        if out is not None:
            raise ConfigError("`--out` names the page that compares several studies, but only one is given.")
        report(directories[0], select=select, storage=storage, rebuild=rebuild, as_json=as_json)
        return
    for flag, is_given in (("--rebuild", rebuild), ("--storage", storage is not None)):
        if is_given:
            raise ConfigError(f"`{flag}` is for the report of one study, but {len(directories)} are given.")
    compare_studies(directories, select=select, out=out or Path(_PAGE), as_json=as_json)


def report(directory: Path, *, select: str | None, storage: str | None, rebuild: bool, as_json: bool) -> None:
    """Writes the views of a study anew, unless they show trials that it has lost, and prints its outcome."""
    study = open_study(directory, selected(select), storage)
    lost = None if rebuild else lost_trials(study)
    outcome, problem = (find_outcome(study), f"Nothing was written. {lost}") if lost else rewrite_projections(study)
    console = output(stderr=as_json)
    for line in (describe_added_trials(study.by_hand()), problem):
        if line is not None:
            console.print(escape(line), soft_wrap=True, style="yellow")
    named = study.config.storage_path
    if named is not None and not is_own_storage(named, agreed_of_study(directory)):
        say(console, f"Nothing was copied to {named}, since you did not create the study on this machine.")
    elif problem is None:
        print_storage_problem(console, copy_projections(study.config), study.config)
    if as_json:
        print_json(outcome.to_json())
    else:
        print_outcome(output(), outcome, study.config, _mlflow_link(study), select)
    if lost:
        raise typer.Exit(1)


def _mlflow_link(study: StudyReader) -> str | None:
    """Where the study is in the MLflow UI, as its folder tells; no server is asked."""
    uri = study.config.mlflow_uri()
    if uri is None or copied_from(study) is not None:  # the runs are those of the original
        return None
    return kept_link(study.config.directory / "mlflow.json", uri, study.noted(ID, ""))


def print_storage_problem(console: Console, problem: str | None, config: StudyConfig) -> None:
    """Says why views were not copied to the store of the study, if so, and what copies them."""
    if problem is not None:
        command = f"{program('antisample')} report {shown_path(config.directory)}"
        console.print(f"{escape(problem)} To copy them, run: {command}", soft_wrap=True, style="yellow")
