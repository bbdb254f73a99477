"""Opens the Optuna study in a study's directory, and refuses one that searches for something else."""

import optuna

from antisample.errors import ConfigError
from tuning.config import StudyConfig
from tuning.journal import StudyJournal, open_journal


def open_optuna_study(config: StudyConfig) -> tuple[optuna.Study, StudyJournal]:
    """Opens or starts the Optuna study of a configuration.

    Args:
        config: Its directory exists.

    Returns:
        The study, and the journal that it is kept in.

    Raises:
        ConfigError: If the directory holds a study with other objectives or another space.
        DataError: If the journal is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = open_journal(config.directory / "journal.log")
    directions = [objective.direction for objective in config.objectives]
    # A renamed folder keeps its study: the journal holds one, under the name it was made with.
    name = next(iter(optuna.get_all_study_names(storage)), config.name)
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    mine = {
        "objectives": [objective.metric for objective in config.objectives],
        "directions": directions,
        "space": config.search_space().fingerprint(),
    }
    for fact, value in mine.items():
        kept = study.user_attrs.get(fact)
        if kept is None:
            study.set_user_attr(fact, value)
        elif kept != value:
            raise ConfigError(
                f"{config.directory} holds a study with other {fact} ({kept} instead of {value}); "
                "choose another name."
            )
    return study, storage
