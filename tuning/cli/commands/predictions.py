"""`antisample run --dry-run`: what a study would do and take."""

from pathlib import Path

from antisample.errors import ConfigError
from cluster import ClusterSpec, LocalCluster
from tuning.cli.launching import offered_machine
from tuning.config.study import StudyConfig
from tuning.driver.dry_run import dry_run
from tuning.views.terminal.console import output, print_json
from tuning.views.terminal.progress import Progress
from tuning.views.terminal.prospect import print_prospect


def predict(config: StudyConfig, spec: ClusterSpec, warm_start: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Prints what a study would do, and how long it would take on this machine.

    Raises:
        ConfigError: If the study is to run on a cluster, which cannot be timed from here.
    """
    machine = offered_machine(spec)
    if not isinstance(spec, LocalCluster) or machine is None:
        raise ConfigError(
            f"`--dry-run` times this machine, so it cannot be used with a `--cluster` of the launcher "
            f"{spec.launcher!r}; omit `--cluster` to predict for this machine."
        )
    console = output(stderr=as_json)
    prospect = dry_run(config, machine, Progress(console, quiet=quiet), warm_start)
    if as_json:
        print_json(prospect.to_json())
    else:
        print_prospect(console, prospect)
