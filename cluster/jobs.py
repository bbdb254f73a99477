"""Ray's Jobs endpoint: the driver runs on the cluster, and this process only watches it."""

import shlex
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.errors import ClusterError
from cluster.existing import package_folders
from cluster.token import checked_token, use_token

_LOOK_EVERY_S = 2.0
_AWAY_S = 180.0


def run_job(
    address: str,
    token_file: Path | None,
    files: Mapping[str, str],
    words: list[str],
    tell: Callable[[str], None],
    ship: bool = True,
) -> tuple[int, str]:
    """Sends a command to the cluster and follows it to its end; interrupting stops watching, not the command.

    Args:
        address: `http://HOST:8265`.
        token_file: The cluster's token, mode 0600; None for a cluster without.
        files: Texts by file name, which the command finds in its working directory: the study, nothing else.
        words: Arguments of `antisample`.
        tell: Called with what the command prints, as it comes.
        ship: Whether this program's packages travel.

    Returns:
        0 if it succeeded, else 1, and all that it printed.

    Raises:
        ClusterError: If the endpoint does not answer or refuses, or is away for minutes later on.
    """
    if token_file is not None:
        use_token(checked_token(token_file))
    try:
        from ray.job_submission import JobStatus, JobSubmissionClient  # noqa: PLC0415  (needs ray[default])
    except ImportError as error:
        raise ClusterError(
            [f"The Jobs endpoint needs ray[default]: pip install 'antisample[jobs]' ({error})."]
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        environment = {"working_dir": folder}
        if ship:
            environment |= {"py_modules": [str(place) for place in package_folders()]}  # type: ignore[dict-item]
        try:
            client = JobSubmissionClient(address)
            job = client.submit_job(entrypoint=f"python -m tuning {shlex.join(words)}", runtime_env=environment)
        except Exception as error:  # Ray raises whatever its layers do
            raise ClusterError(
                [f"The Jobs endpoint {address} refuses: {' '.join(str(error).split())[:600]}"]
            ) from error
    tell(f"Job {job} at {address}; `ray job logs {job}` shows it, `ray job stop {job}` stops it.\n")
    told, heard = 0, time.monotonic()
    while True:
        try:
            status, log = client.get_job_status(job), client.get_job_logs(job)
        except Exception as error:  # whatever the connection's layers raise; the job does not need this process
            if time.monotonic() - heard > _AWAY_S:
                raise ClusterError(
                    [f"{address} is not reachable; job {job} continues, see `ray job logs {job}`."]
                ) from error
            time.sleep(_LOOK_EVERY_S)
            continue
        heard = time.monotonic()
        tell(log[told:])
        told = len(log)
        if status.is_terminal():
            return (0 if status == JobStatus.SUCCEEDED else 1), log
        time.sleep(_LOOK_EVERY_S)
