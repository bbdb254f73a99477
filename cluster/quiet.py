"""What Ray would print, write and report, and nobody reads."""

import logging
import os

# Ray imports every logger at start and writes 200 files for them; our own tracking reads nothing of that.
_QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def keep_ray_quiet() -> None:
    """Settles this before Ray starts or is joined; what the user has set in the environment stays."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
