"""Holds the words of other tools, each with the place and form that it has here. Read only where a key is unknown."""

from typing import NamedTuple

from craftc.schemas.diagnostic import Path


class ForeignWord(NamedTuple):
    """`to` is the key that it is here, if there is one. It takes the same value, unless a `hint` says what it takes."""

    to: Path | None = None
    hint: str | None = None


_SAME: dict[Path, str] = {
    ("name",): "experiment_name exp_name run_name experiment project_name task_name",
    ("seed",): "seed random_seed seed_everything manual_seed random_state rng_seed global_seed experiment_seed",
    ("data", "source"): "dataset datasets dataset_name data_source datamodule data_module dataloader",
    ("data", "splits"): "split data_split train_test_split",
    ("data", "normalize"): "normalization normalizer normalise normalization_method standardize",
    ("data", "augment"): "augmentation augmentations transform transforms train_transforms data_augmentation",
    ("model",): "network net arch architecture nn module model_config encoder",
    ("objective",): "loss loss_fn loss_function criterion loss_func objective_function",
    ("objective", "metrics"): "metrics eval_metrics metric_list torchmetrics",
    ("objective", "class_weights"): "class_weight weights weight pos_weight",
    (
        "regularization",
        "adaptive_clip",
    ): "agc adaptive_gradient_clipping adaptive_grad_clip agc_clip_factor clip_factor",
    ("regularization", "clip_grad_norm"): "gradient_clip_val max_grad_norm grad_clip clip_grad gradient_clip "
    "gradient_clipping clipnorm grad_norm_clip max_gradient_norm clip_gradient grad_clip_norm gradient_clip_norm "
    "clip_norm clip_gradients",
    ("regularization", "dropout"): "dropout_rate drop_rate dropout_prob dropout_p hidden_dropout_prob p_dropout",
    ("regularization", "weight_decay"): "l2 l2_regularization wd l2_reg l2_penalty weight_decay_rate",
    ("regularization", "label_smoothing"): "smoothing label_smooth label_smoothing_factor",
    ("regularization", "ema_decay"): "ema ema_rate model_ema_decay swa_decay",
    ("regularization", "average"): "swa weight_averaging averaging",
    ("regularization", "sam"): "sharpness_aware sharpness_aware_minimization asam",
    ("training", "epochs"): "num_epochs max_epochs n_epochs nb_epochs epoch train_epochs num_train_epochs "
    "max_num_epochs total_epochs training_epochs max_epoch nepochs",
    ("training", "max_steps"): "num_steps max_iter iterations total_steps num_iterations train_steps num_train_steps "
    "n_steps steps max_iters",
    ("training", "max_tokens"): "num_tokens total_tokens token_budget train_tokens",
    ("evaluation", "every"): "eval_steps val_check_interval eval_every evaluation_strategy eval_strategy eval_interval "
    "check_val_every_n_epoch logging_steps",
    ("evaluation", "gradient_norms"): "track_grad_norm log_grad_norm watch_gradients gradient_norm log_gradients "
    "log_grad_norms",
    ("training", "batch_size"): "batchsize bs per_device_train_batch_size train_batch_size global_batch_size "
    "mini_batch_size minibatch_size batch",
    ("training", "accumulate"): "accumulate_grad_batches gradient_accumulation_steps grad_accum grad_accum_steps "
    "accumulation_steps gradient_accumulation accumulate_steps",
    ("training", "groups"): "param_groups parameter_groups optimizer_groups paramwise_cfg",
    ("training", "optimizer"): "optim optimiser optimizer_name optimizer_config opt",
    ("training", "optimizer", "lr"): "learning_rate learningrate init_lr initial_lr base_lr lr_init "
    "initial_learning_rate learning_rate_init base_learning_rate",
    ("training", "early_stopping"): "early_stop earlystopping early_stopper",
    ("training", "deterministic"): "deterministic_algorithms torch_deterministic",
    ("training", "compile"): "torch_compile compile_model",
    ("ablation", "seeds"): "num_seeds n_seeds num_repeats repeats replicates num_replicates n_repeats repetitions "
    "num_runs",
    ("ablation", "grid"): "param_grid parameter_grid grid_search grid sweep_grid",
    ("search", "trials"): "n_trials max_trials num_trials run_cap num_samples n_iter max_evals",
    ("search", "sampler"): "search_alg search_algorithm tuner",
    ("search", "pruner"): "early_terminate early_termination",
    ("resources", "workers"): "world_size nproc_per_node num_nodes num_processes",
    ("resources", "gpus"): "num_gpus gpus_per_trial use_gpu n_gpus num_gpus_per_worker",
    ("resources", "cpus"): "num_cpus cpus_per_trial num_cpus_per_worker num_threads",
    ("resources", "micro_batch"): "micro_batch_size microbatch_size micro_batches auto_scale_batch_size "
    "auto_find_batch_size train_micro_batch_size_per_gpu device_batch_size",
    ("resources", "max_concurrent"): "max_concurrent_trials n_jobs max_parallel num_parallel",
}
_ARGUMENTS: dict[str, str] = {
    "lr": "learning_rate learningrate init_lr initial_lr base_lr alpha",
    "betas": "beta adam_betas",
    "eps": "epsilon adam_epsilon",
    "weight_decay": "l2 wd l2_regularization weight_decay_rate",
    "hidden": "hidden_sizes hidden_size hidden_dims hidden_dim hidden_layer_sizes hidden_layers layers units "
    "hidden_units hidden_channels layer_sizes fc_size",
    "activation": "act act_fn activation_fn activation_function nonlinearity hidden_act",
    "dropout": "dropout_rate drop_rate dropout_prob dropout_p hidden_dropout_prob p_dropout",
    "num_layers": "n_layers nlayers num_hidden_layers depth layers n_layer num_blocks",
    "num_heads": "n_heads nhead heads num_attention_heads n_head nheads",
    "d_model": "dim embed_dim hidden_dim dim_model d_embed n_embd embedding_dim hidden_size emb_dim",
    "d_ffn": "dim_feedforward d_ff mlp_dim ffn_dim intermediate_size ff_dim feedforward_dim",
    "num_classes": "n_classes num_labels out_features output_dim num_outputs n_class output_size out_dim nclasses",
    "num_features": "in_features input_dim input_size n_features in_dim num_inputs",
    "context_length": "block_size seq_len sequence_length max_length seq_length max_seq_len",
    "path": "file filename file_path data_path data_dir root data_root dir filepath csv_path",
    "target": "target_column label label_column y target_col labels",
    "features": "feature_columns columns x input_columns feature_cols inputs",
    "metric": "monitor quantity watch",
    "patience": "wait num_bad_epochs early_stopping_rounds",
    "min_delta": "delta threshold tol min_change",
    "epochs": "t_max num_epochs warmup_epochs num_warmup_epochs duration",
    "steps": "total_iters num_steps warmup_steps num_warmup_steps warmup_iters",
    "end_lr": "eta_min min_lr lr_min final_lr",
    "start_lr": "warmup_lr warmup_start_lr init_lr start_factor",
    "std": "sigma noise_std stddev scale",
    "p": "prob probability",
    "project": "project_name",
    "entity": "team user",
    "mode": "goal direction",
    "startup_trials": "n_startup_trials",
    "min_epochs": "grace_period min_resource min_iter",
    "reduction_factor": "eta",
    "train": "train_size train_split train_fraction train_ratio",
    "valid": "val_size val_split valid_size validation_split valid_split val_fraction val_ratio",
    "test": "test_size test_split test_fraction test_ratio",
    "cpus": "cpu num_cpus",
    "gpus": "gpu num_gpus",
}
_SPLITS = "write data.splits: {train: 0.6, valid: 0.2, test: 0.2}"
_CHECKPOINTS = "leave it out: the best and the last weights of every trial are kept, and it resumes from them"
_PLACE = "leave it out: --runs-dir of craftc run says where results go"
_TRACKERS = "write report.trackers: [{kind: wandb, project: NAME}], or tensorboard, or mlflow"
_WARMUP = "write training.schedule: [{kind: linear_warmup, epochs: 1}, {kind: cosine}]"
_DEVICE = "resources.gpus says how many GPUs a trial gets; without, it trains on the CPU"
_BESIDE = "arguments stand beside kind: {kind: NAME, ARGUMENT: VALUE}"
_OTHER: dict[str, str] = {
    "lr_scheduler scheduler lr_schedule learning_rate_scheduler lr_policy lr_decay decay": "write training.schedule, a "
    "list of phases: [{kind: cosine}]",
    "warmup warmup_epochs warmup_steps num_warmup_steps warmup_ratio num_warmup_epochs": _WARMUP,
    "monitor": "a metric is named as metric: valid/loss in training.early_stopping, evaluation.select and "
    "search.optimize",
    "precision_plugin amp fp16 bf16 mixed_precision use_amp half": "write training.precision: bf16, or fp16",
    "num_workers num_loader_workers pin_memory persistent_workers prefetch_factor drop_last": "leave it out: samples "
    "are loaded once and need no worker of their own",
    "shuffle shuffle_train": "leave it out: the train split is shuffled in every epoch",
    "val_split validation_split test_split train_split val_size valid_size test_size train_size valid_split "
    "validation_fraction": _SPLITS,
    "device devices accelerator strategy cuda use_cuda num_devices slots_per_trial": _DEVICE,
    "callbacks": "early stopping is training.early_stopping; checkpoints and progress need no callback",
    "checkpoint checkpoints checkpointing checkpoint_callback enable_checkpointing save_top_k save_best "
    "save_every resume resume_from_checkpoint ckpt_path": _CHECKPOINTS,
    "save_dir output_dir checkpoint_dir log_dir default_root_dir out_dir results_dir storage_path local_dir "
    "storage": _PLACE,
    "logger loggers logging log_to_wandb use_wandb wandb_project wandb tensorboard mlflow tracker tracking": _TRACKERS,
    "trainer fit train": "what trains is training: {epochs: ..., batch_size: ..., optimizer: ...}; a loop "
    "of your own is program: {kind: package.module:function}",
    "hydra": "leave it out: runs get folders of their own, and ablation.grid takes the place of a multirun",
    "defaults": "write extends: FILE, for each group that it names",
    "parameters param_space parameter_space hyperparameters hparams search_space": "values to try stand in "
    "ablation.grid: {PATH: [VALUE, ...]}, ranges in search.space: {PATH: {uniform: [LOW, HIGH]}}",
    "method": "a grid is ablation.grid; a search has search.sampler: random or tpe",
    "tune_config run_config tune sweep sweeper hpo hyperopt searcher": "write search: {space: {PATH: RANGE}, optimize: "
    "{metric: valid/loss}, trials: N}",
    "command cmd entrypoint entry_point script run_script train_script main_script": "a program in any language is "
    "program: {kind: command, command: [...]}, and a function in Python program: {kind: package.module:function}",
    "train_fn train_func train_function training_function trainable train_loop training_loop main_fn": "a function "
    "that trains is program: {kind: package.module:function}",
    "input_features output_features combiner preprocessing": "columns of a table are those of data.source: "
    "{kind: csv, path: FILE, target: COLUMN, features: [COLUMN, ...]}",
    "_partial_ _recursive_ _convert_": "remove it",
    "_target_ class_path _cls_ class_name": "a class is named by kind: package.module:Class",
    "init_args dict_kwargs params kwargs args optimizer_params model_params model_kwargs optimizer_kwargs hparam "
    "arguments options": _BESIDE,
    "eval_batch_size per_device_eval_batch_size val_batch_size test_batch_size": "leave it out: evaluation takes "
    "batches of training.batch_size",
    "eval_every check_val_every_n_epoch val_check_interval eval_steps evaluation_strategy log_every_n_steps": "leave "
    "it out: every split is measured after each epoch",
    "save_best_only load_best_model_at_end metric_for_best_model": "write evaluation.select: {metric: valid/loss}",
    "group tags job_type": "leave it out: craftc names groups and tags of trackers itself",
    "objective_metric goal": "write search.optimize: {metric: valid/loss, mode: min}",
}
KIND_WORDS = (
    "type",
    "name",
    "class_path",
    "_target_",
    "class",
    "cls",
    "_target",
    "target",
    "class_name",
    "_name_",
    "id",
)
"""What other tools call `kind`, the likeliest first."""
ARGUMENTS_WORDS = ("init_args", "dict_kwargs", "params", "kwargs", "args", "arguments", "config", "options")
"""Under which other tools put the arguments of a component."""
KINDS: dict[str, str] = {
    "reducelronplateau": "reduce_on_plateau",
    "plateau": "reduce_on_plateau",
    "cosineannealinglr": "cosine",
    "cosineannealing": "cosine",
    "cosinedecay": "cosine",
    "linearlr": "linear_warmup",
    "warmup": "linear_warmup",
    "constantlr": "constant",
    "crossentropyloss": "cross_entropy",
    "crossentropy": "cross_entropy",
    "ce": "cross_entropy",
    "nllloss": "cross_entropy",
    "nll": "cross_entropy",
    "categoricalcrossentropy": "cross_entropy",
    "acc": "accuracy",
    "f1": "f1_macro",
    "macrof1": "f1_macro",
    "f1score": "f1_macro",
    "rocauc": "auroc",
    "auc": "auroc",
    "balancedacc": "balanced_accuracy",
    "standard": "per_feature",
    "standardize": "per_feature",
    "zscore": "per_feature",
    "standardscaler": "per_feature",
    "randomhorizontalflip": "horizontal_flip",
    "hflip": "horizontal_flip",
    "randomverticalflip": "vertical_flip",
    "vflip": "vertical_flip",
    "imagefolder": "image_folder",
    "table": "csv",
    "text": "text_file",
    "mnist": "mnist_5k",
    "hyperband": "successive_halving",
    "asha": "successive_halving",
    "ashascheduler": "successive_halving",
    "asynchyperband": "successive_halving",
    "bayes": "tpe",
    "bayesian": "tpe",
    "bayesopt": "tpe",
    "tpesampler": "tpe",
    "randomsampler": "random",
    "randomsearch": "random",
    "medianpruner": "median",
    "logisticregression": "linear",
    "fullyconnected": "mlp",
    "multilayerperceptron": "mlp",
    "vit": "scanline_vit",
    "gpt": "decoder",
    "transformer": "decoder",
}
"""What other tools call a built-in kind, in small letters and without underscores."""
CHOICES: dict[str, str] = {
    "16-mixed": "fp16", "16": "fp16", "16-true": "fp16", "float16": "fp16", "half": "fp16", "mixed": "fp16",
    "bf16-mixed": "bf16", "bf16-true": "bf16", "bfloat16": "bf16",
    "32": "float32", "32-true": "float32", "fp32": "float32", "single": "float32", "full": "float32",
    "64": "float64", "64-true": "float64", "fp64": "float64", "double": "float64",
    "minimize": "min", "minimise": "min", "minimum": "min", "lower": "min",
    "maximize": "max", "maximise": "max", "maximum": "max", "higher": "max",
}  # fmt: skip
"""What other tools call a choice."""
_MEANT: dict[str, Path] = dict.fromkeys(("trainer", "fit", "train"), ("training",))
"""Keys of the language whose place such a word takes, although its value is another."""
_LISTED = {name: hint for names, hint in _OTHER.items() for name in names.split()}
_ARGUMENT_OF: dict[str, list[str]] = {}
for _argument, _names in _ARGUMENTS.items():
    for _name in _names.split():
        _ARGUMENT_OF.setdefault(_name, []).append(_argument)
_SAME_AS = {name: path for path, names in _SAME.items() for name in names.split()}


def foreign_argument(name: str, known: list[str]) -> str | None:
    """The one of the known keys of a mapping that is called so elsewhere."""
    meant = [argument for argument in _ARGUMENT_OF.get(_plain(name), ()) if argument in known]
    return meant[0] if len(meant) == 1 else None


def foreign_word(name: str) -> ForeignWord | None:
    """What a key of another tool is here; None of one that is no word of them."""
    plain = _plain(name)
    if plain in _LISTED:
        return ForeignWord(_MEANT.get(plain), _LISTED[plain])
    if plain in _SAME_AS:
        return ForeignWord(to=_SAME_AS[plain])
    return None


def foreign_kind(name: str, kinds: list[str]) -> str | None:
    """The built-in kind that another tool calls so."""
    last = name.replace(":", ".").rpartition(".")[2].lower().replace("_", "").replace("-", "")
    meant = KINDS.get(last, last)
    return next((kind for kind in kinds if kind in (meant, KINDS.get(last)) or kind.replace("_", "") == last), None)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
