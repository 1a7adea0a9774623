"""The paths that the config of a run may have, so that each is a column of every database.

A config leaves out what is null. Which options there are is the trainers' knowledge, which this
package cannot import; a test compares the two.
"""

from __future__ import annotations

from typing import Literal

#: What a column holds, as far as filters and metrics have to know. "mixed" is a config path whose
#: values have several kinds, "empty" one that is always null.
ValueKind = Literal["text", "number", "bool", "list", "mixed", "empty"]

_BY_KIND: dict[ValueKind, tuple[str, ...]] = {
    "text": (
        "trainer", "model.activation", "model.backward", "model.block", "model.body",
        "model.forward", "model.level", "model.name", "model.norm_1", "model.norm_2",
        "model.old_states", "model.projection_activation",
        "model.stage_change", "model.stem", "model.tableau", "model.tanh", "model.weights",
        "scheme.learned", "dataset.content", "dataset.damaged", "dataset.folder", "dataset.name",
        "training.lr_schedule.anneal_strategy", "training.lr_schedule.by",
        "training.lr_schedule.metric", "training.lr_schedule.name",
        "training.lr_schedule.rate_at", "training.optimizer.name", "precision",
    ),
    "number": (
        "recipe_version", "model.base_width", "model.cardinality", "model.columns", "model.depth",
        "model.drop_path", "model.initial_alpha", "model.lin_proj", "model.start_blocks",
        "model.survival", "model.width", "model.x_proj", "scheme.beta", "dataset.crop_padding",
        "dataset.images.test", "dataset.images.train", "dataset.reduce", "dataset.resize",
        "dataset.size", "dataset.subset",
        "training.accumulation", "training.batch_size", "training.clip_norm",
        "training.clip_value", "training.data_parallel", "training.ema_decay", "training.epochs",
        "training.label_smoothing", "training.lr_schedule.cooldown",
        "training.lr_schedule.div_factor", "training.lr_schedule.factor",
        "training.lr_schedule.final_div_factor", "training.lr_schedule.gamma",
        "training.lr_schedule.min_lr", "training.lr_schedule.patience",
        "training.lr_schedule.pct_start", "training.lr_schedule.power",
        "training.lr_schedule.threshold", "training.lr_schedule.validation",
        "training.lr_schedule.warmup_epochs", "training.lr_schedule.warmup_start",
        "training.lr_schedule.warmup_steps", "training.mixup",
        "training.optimizer.alpha", "training.optimizer.beta2_decay", "training.optimizer.d",
        "training.optimizer.dampening", "training.optimizer.initial_accumulator_value",
        "training.optimizer.lambd", "training.optimizer.lr", "training.optimizer.lr_decay",
        "training.optimizer.momentum", "training.optimizer.momentum_decay",
        "training.optimizer.rho", "training.optimizer.t0", "training.optimizer.weight_decay",
        "training.test_every",
    ),
    "bool": (
        "model.batch_norm", "model.final_norm", "model.preactivation", "model.recompute",
        "model.shortcuts", "dataset.horizontal_flip", "dataset.in_memory", "dataset.top5",
        "training.lr_schedule.three_phase", "training.sync_batch_norm",
        "training.optimizer.amsgrad",
        "training.optimizer.centered", "training.optimizer.decay_norms_and_biases",
        "training.optimizer.decoupled_weight_decay", "training.optimizer.nesterov", "compile",
    ),
    "list": (
        "model.tableau.a", "model.tableau.b", "model.widths", "scheme.alpha", "scheme.start",
        "dataset.crop.area", "dataset.crop.aspect", "dataset.mean", "dataset.shorter_side",
        "dataset.std", "training.lr_schedule.milestones",
        "training.optimizer.betas", "training.optimizer.etas", "training.optimizer.step_sizes",
        "probes",
    ),
    # The rate that it stands for is in training.optimizer.lr.
    "empty": ("training.lr_batch",),
    "mixed": (
        "model.blocks", "dataset.classes", "training.optimizer.eps",
    ),
}  # fmt: skip

#: By path, without `seed`, which is a key of every run.
CONFIG_OPTIONS = {path: kind for kind, paths in _BY_KIND.items() for path in paths}
