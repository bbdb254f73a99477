"""A study is begun, or opened to be continued, and what its trials need is loaded."""

from collections.abc import Callable
from pathlib import Path

from antisample.device import choose_device, describe_device, has_bfloat16_unit
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.driver.capacity import TrialResources
from tuning.driver.machines import live_slots
from tuning.driver.provenance import record_provenance
from tuning.driver.settling import settled
from tuning.memory.settling import describe_memory, describe_skipped, settle_memory, with_fewer_recipes
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import ID, MEMORY
from tuning.study.directory import check_settings, note_settings, prepared_directory
from tuning.study.kept_settings import has_begun
from tuning.study.lost_trials import refuse_lost_trials
from tuning.study.model_source import noted_model
from tuning.study.plugins import check_noted_plugins
from tuning.study.progress_listener import ProgressListener
from tuning.study.promoting import study_of
from tuning.study.storage.lease import Lease
from tuning.study.study import Study
from tuning.study.warm_start import take_over
from tuning.trials.records import describe_added_trials
from tuning.trust.consent import remember_study
from tuning.worker.fingerprints import fingerprints_of
from tuning.worker.inputs import RequestInputs, labels_of


def begin(
    config: StudyConfig,
    lease: Lease,
    share: TrialResources,
    progress: ProgressListener,
    warm_start: Path | None,
    load: Callable[[TrialPlan], RequestInputs],
) -> tuple[Study, RequestInputs]:
    """Opens the study, begun if it is new, and loads its inputs; nothing stays of a new one where that fails."""
    inputs, memory, is_new = None, None, not has_begun(config)
    with prepared_directory(config, lease) as keep:
        if is_new:
            StudyFiles.of(config).check()
            _introduce(config, share, progress)
            inputs = load(TrialPlan.of(config))
            config, notes = settled(config, inputs)
            if warm_start is None or config.memory != "auto":  # which names the study to start from
                memory = settle_memory(config, fingerprints_of(inputs), labels_of(inputs))
                config = with_fewer_recipes(config, memory)
            keep(config)
            for note in notes:
                progress.say(note)
        study = study_of(config, lease)
        check_settings(study)
        refuse_lost_trials(study)
        changed = check_noted_plugins(study)
        if inputs is None:
            StudyFiles.of(config).check()
            _introduce(config, share, progress)
            inputs = load(study.plan.with_model(noted_model(study)))
        for line in (*changed, record_provenance(study, inputs), describe_added_trials(study.by_hand())):
            if line is not None:
                progress.say(line)
        note_settings(study)
        if memory is not None and study.noted(MEMORY) is None:
            study.remember(memory)
            progress.say(f"From memory: {describe_memory(memory)}")
            for line in describe_skipped(memory):
                progress.say(f"  {line}")
        if not remember_study(study.noted(ID, ""), config):
            progress.say(
                "Your state directory is not writable, so you will have to agree to code and addresses again"
            )
        if warm_start is not None:  # before the study can be resumed, where nothing says so any more
            progress.say(take_over(study, warm_start).describe())
    return study, inputs


def _introduce(config: StudyConfig, share: TrialResources, progress: ProgressListener) -> None:
    """Says on what the study runs."""
    device = choose_device(config.device)
    slots = live_slots(share, config.resources.max_concurrent)
    progress.say(f"Device: {describe_device(device)}; concurrent trials: {slots()}")
    if config.precision == "float32" and has_bfloat16_unit(device):
        progress.say("  training is faster with `precision: bfloat16`; see docs/performance.md")
    progress.say(f"Data: {config.data.source}; original model: {config.model.name}")
