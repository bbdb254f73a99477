"""The command that applies a trial, as people copy it."""

import shlex

from tuning.config.command_lines import program, shown_path
from tuning.config.study import StudyConfig


def apply_command(config: StudyConfig, trial: str = "best", select: str | None = None) -> str:
    """The exact command that applies a trial.

    Args:
        config: The study.
        trial: Its number, or `best` for the chosen one.
        select: By what the trial is chosen, where that is not what the study says; read for `best` alone.
    """
    out = shown_path(config.directory / "unlearned")
    which = f"--forget {shlex.quote(config.forget[0].describe())} " if len(config.forget) > 1 else ""
    if which and config.by_samples:
        request = config.forget[0]
        which = "--forget-samples FILE "
        if request.column is not None:
            values = " ".join(f"--forget-value {shlex.quote(value)}" for value in request.value)
            which = f"--forget-column {shlex.quote(request.column)} {values} "
    which += f"--select {select} " if select is not None and trial == "best" else ""
    return (
        f"{program('antisample')} unlearn --study {shown_path(config.directory)} --trial {trial} {which}--out {out}"
    )
