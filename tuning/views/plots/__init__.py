"""Pictures of results as PNG files, for pages and papers: one module a picture."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def _give_matplotlib_a_folder() -> None:
    """Where the home folder cannot be written, Matplotlib gets a folder for its caches, instead of warning of it."""
    if "MPLCONFIGDIR" in os.environ or "matplotlib" in sys.modules:
        return
    try:
        for variable, below_home in (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")):
            folder = Path(os.environ.get(variable) or Path.home() / below_home) / "matplotlib"
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(folder)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder at all
        os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="antisample-matplotlib-")
        atexit.register(shutil.rmtree, os.environ["MPLCONFIGDIR"], ignore_errors=True)


_give_matplotlib_a_folder()
