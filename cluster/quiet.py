"""What Ray would print and report, and nobody reads; `tuning.driver.search` settles the same for Ray Tune."""

import logging
import os

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def keep_ray_quiet() -> None:
    """Settles this before Ray starts or is joined; what the user has set in the environment stays."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
