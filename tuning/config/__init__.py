"""What a study is: fields, defaults and checks. Nothing here touches Ray, Optuna, MLflow or a study's storage."""
