"""Lists what a spec can name: for each group, the short name and where the component is defined."""

REGISTRY: dict[str, dict[str, str]] = {
    "sources": {
        "digits": "craftc.components.sources.bundled:digits",
        "mnist_5k": "craftc.components.sources.bundled:mnist_5k",
        "arrays": "craftc.components.sources.arrays:arrays",
        "image_folder": "craftc.components.sources.image_folder:image_folder",
        "csv": "craftc.components.sources.csv_table:csv",
        "parquet": "craftc.components.sources.parquet_table:parquet",
        "hf_dataset": "craftc.components.sources.hf_dataset:hf_dataset",
        "text_file": "craftc.components.sources.text:text_file",
        "python_docs": "craftc.components.sources.text:python_docs",
    },
    "normalizers": {
        "none": "craftc.components.normalizers.numeric:Identity",
        "per_line": "craftc.components.normalizers.numeric:PerLine",
        "per_dataset": "craftc.components.normalizers.numeric:PerDataset",
        "per_feature": "craftc.components.normalizers.numeric:PerFeature",
    },
    "augmentations": {
        "horizontal_flip": "craftc.components.augmentations.flips:HorizontalFlip",
        "vertical_flip": "craftc.components.augmentations.flips:VerticalFlip",
        "gaussian_noise": "craftc.components.augmentations.corruptions:GaussianNoise",
        "line_dropout": "craftc.components.augmentations.corruptions:LineDropout",
    },
    "models": {
        "linear": "craftc.components.models.linear:Linear",
        "mlp": "craftc.components.models.mlp:MLP",
        "scanline_vit": "craftc.components.models.scanline_vit:ScanlineViT",
        "decoder": "craftc.components.models.decoder:Decoder",
        "frozen_backbone": "craftc.components.models.frozen_backbone:frozen_backbone",
    },
    "objectives": {
        "cross_entropy": "craftc.components.objectives.cross_entropy:CrossEntropy",
    },
    "metrics": {
        "accuracy": "craftc.components.metrics.classification:Accuracy",
        "balanced_accuracy": "craftc.components.metrics.classification:BalancedAccuracy",
        "auroc": "craftc.components.metrics.classification:AUROC",
        "f1_macro": "craftc.components.metrics.classification:F1Macro",
        "perplexity": "craftc.components.metrics.likelihood:Perplexity",
        "bits_per_character": "craftc.components.metrics.likelihood:BitsPerCharacter",
    },
    "optimizers": {
        "sgd": "craftc.components.optimizers.torch_optimizers:Sgd",
        "adam": "craftc.components.optimizers.torch_optimizers:adam",
        "adamw": "craftc.components.optimizers.torch_optimizers:adamw",
    },
    "schedules": {
        "linear_warmup": "craftc.components.schedules.phases:LinearWarmup",
        "cosine": "craftc.components.schedules.phases:Cosine",
        "constant": "craftc.components.schedules.phases:Constant",
        "reduce_on_plateau": "craftc.components.schedules.plateau:ReduceOnPlateau",
    },
    "samplers": {
        "random": "craftc.components.samplers.optuna_samplers:random",
        "tpe": "craftc.components.samplers.optuna_samplers:tpe",
    },
    "pruners": {
        "none": "craftc.components.pruners.optuna_pruners:none",
        "median": "craftc.components.pruners.optuna_pruners:median",
        "successive_halving": "craftc.components.pruners.optuna_pruners:successive_halving",
    },
    "trackers": {
        "wandb": "craftc.runtime.observers.wandb_tracker:WandbTracker",
        "tensorboard": "craftc.runtime.observers.tensorboard_writer:TensorboardWriter",
        "mlflow": "craftc.runtime.observers.mlflow_tracker:MlflowTracker",
    },
}
