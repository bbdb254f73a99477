"""What a record says of where and with what its figures were measured."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch


def surroundings() -> dict[str, Any]:
    """Processor, cores, threads, versions and git commit; GIT_COMMIT tells it where the history was left behind."""
    return {
        "processor": torch.backends.cpu.get_cpu_capability(),
        "amx": bool(torch.cpu._is_amx_tile_supported()),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "onednn_max_isa": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "commit": os.environ.get("GIT_COMMIT") or _commit(),
    }


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    except OSError:
        return None
    return found.stdout.strip() or None
