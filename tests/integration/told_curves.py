"""What MLflow was told of a trial's epochs."""

from mlflow import MlflowClient

from tuning.trials.records import TrialRecord


def told_losses(client: MlflowClient, run_id: str, record: TrialRecord) -> list[list[float]]:
    """Training losses in MLflow by replicate, in the order of their epochs, each epoch told once."""
    replicates = sorted({step.replicate for step in record.steps})
    names = ["train_loss"]
    if len(record.seeds) > 1 or len(replicates) > 1:
        names = [f"replicate {replicate + 1}/train_loss" for replicate in replicates]
    curves = [sorted(client.get_metric_history(run_id, name), key=lambda point: point.step) for name in names]
    for curve in curves:
        assert [point.step for point in curve] == list(range(1, len(curve) + 1))
    return [[point.value for point in curve] for curve in curves]


def reported_losses(record: TrialRecord) -> list[list[float]]:
    """Training losses in the study by replicate."""
    replicates = sorted({step.replicate for step in record.steps})
    return [[step.train_loss for step in record.steps if step.replicate == each] for each in replicates]
