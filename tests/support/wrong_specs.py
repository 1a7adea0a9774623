"""Specs that are wrong, each in one way, with the place and the words of the message."""

from __future__ import annotations

BASE = "model: zerosnet\ndepth: 20\ndataset: digits\n"
"""Three lines, so that what follows begins at line 4."""

THOUSAND = ", ".join(map(str, range(1000)))

Wrong = tuple[str | bytes, tuple[int, int], list[str]]
"""A spec, the line and column that its message names, and fragments of the message."""

MISTAKES: dict[str, Wrong] = {
    "unknown key": (
        BASE + "trainig: {epochs: 2}\n",
        (4, 1),
        ["unknown key 'trainig'", "did you mean 'training'", "allowed: compile, dataset, depth"],
    ),
    "unknown key inside": (
        BASE + "training:\n  epochs: 2\n  optimizer:\n    learning_rate: 0.1\n",
        (7, 5),
        ["unknown key 'learning_rate' in training.optimizer", "lr", "momentum"],
    ),
    "misspelt optimizer": (
        BASE + "training:\n  optimizer: {lr: 0.1,\n    name: adanw}\n",
        (6, 5),
        ["unknown optimizer 'adanw'; did you mean 'adamw'? (known: adadelta, adafactor,"],
    ),
    "a number for an optimizer": (
        BASE + "training: {optimizer: 5}\n",
        (4, 12),
        ["training.optimizer: 5 is no optimizer: give its name"],
    ),
    "a number for an optimizer's name": (
        BASE + "training: {optimizer: {name: 5}}\n",
        (4, 24),
        ["5 is not the name of an optimizer"],
    ),
    "an optimizer that evaluates a step several times": (
        BASE + "training: {optimizer: {name: lbfgs}}\n",
        (4, 24),
        ["optimizer 'lbfgs' evaluates the loss of a step several times", "known: adadelta"],
    ),
    "an optimizer of matrices": (
        BASE + "grid:\n  training.optimizer: [sgd,\n    muon]\n",
        (6, 5),
        ["optimizer 'muon' takes matrices only"],
    ),
    "an optimizer of sparse gradients": (
        BASE + "training: {optimizer: sparseadam}\n",
        (4, 12),
        ["optimizer 'sparseadam' takes sparse gradients only"],
    ),
    "unknown option of an optimizer": (
        BASE + "training:\n  optimizer:\n    name: adamw\n    beta: [0.9, 0.99]\n",
        (7, 5),
        ["unknown key 'beta' in training.optimizer; did you mean 'betas'", "amsgrad, betas"],
    ),
    "an option of another optimizer on an axis": (
        BASE + "grid:\n  training.optimizer:\n    - {name: adam, momentum: 0.9}\n",
        (6, 20),
        ["unknown key 'momentum' in training.optimizer", "amsgrad, betas"],
    ),
    "an option of how torch computes": (
        BASE + "training: {optimizer: {name: adamw, fused: true}}\n",
        (4, 37),
        ["fused is how torch computes, not what"],
    ),
    "one beta": (
        BASE + "training: {optimizer: {name: adamw, betas: 0.9}}\n",
        (4, 37),
        ["training.optimizer.betas: 0.9 is not allowed: input should be a valid list"],
    ),
    "a beta of 1": (
        BASE + "training: {optimizer: {name: adamw, betas: [0.9, 1]}}\n",
        (4, 50),
        ["training.optimizer.betas.1: 1 is not allowed: input should be less than 1"],
    ),
    "step sizes that descend": (
        BASE + "training: {optimizer: {name: rprop, step_sizes: [1, 1/2]}}\n",
        (4, 37),
        ["step_sizes [1, 0.5] are not least and largest"],
    ),
    "nesterov with dampening": (
        BASE + "training: {optimizer: {nesterov: true, dampening: 0.5}}\n",
        (4, 40),
        ["nesterov needs a dampening of 0"],
    ),
    "unknown option of a model": (
        "model:\n  name: zerosnet\n  widht: 8\ndepth: 20\ndataset: digits\n",
        (3, 3),
        ["unknown key 'widht' in model; did you mean 'width'", "start_blocks"],
    ),
    "misspelt model": (
        "depth: 20\nmodel: zerosnt\ndataset: digits\n",
        (2, 1),
        ["unknown model 'zerosnt'", "did you mean 'zerosnet'", "preresnet"],
    ),
    "misspelt model with a scheme": (
        "depth: 20\nmodel: zerosnt\nscheme: {lambda: 1}\ndataset: digits\n",
        (2, 1),
        ["unknown model 'zerosnt'", "did you mean 'zerosnet'"],
    ),
    "misspelt model on an axis": (
        BASE + "grid:\n  model: [preresnet,\n    zerosnt]\n",
        (6, 5),
        ["unknown model 'zerosnt'"],
    ),
    "misspelt model in a mapping": (
        "dataset: digits\nmodel:\n  depth: 20\n  name: zerosnt\n",
        (4, 3),
        ["unknown model 'zerosnt'"],
    ),
    "options on an axis, but no model": (
        "dataset: digits\ngrid: {model.width: [4, 8]}\n",
        (1, 1),
        ["{'width': 4} is not a model"],
    ),
    "no model": ("depth: 20\ndataset: digits\n", (1, 1), ["names no model", "model: zerosnet"]),
    "no dataset": ("model: zerosnet\ndepth: 20\n", (1, 1), ["names no dataset", "cifar10"]),
    "no depth": ("dataset: digits\nmodel: zerosnet\n", (2, 1), ["depth is missing"]),
    "a model without a name": (
        "dataset: digits\nmodel: {depth: 20, width: 8}\n",
        (2, 1),
        ["is not a model", "known: "],
    ),
    "a number for a model": ("dataset: digits\nmodel: 5\n", (2, 1), ["5 is not a model"]),
    "a list for a model": (
        "depth: 20\nmodel: [zerosnet, preresnet]\ndataset: digits\n",
        (2, 1),
        ["is not a model", "grid: {model: [...]}"],
    ),
    "a number for a model's name": (
        "dataset: digits\nmodel: {depth: 20, name: 3}\n",
        (2, 20),
        ["3 is not a model"],
    ),
    "misspelt dataset": (
        "model: zerosnet\ndepth: 20\ndataset: digts\n",
        (3, 1),
        ["unknown dataset 'digts'", "did you mean 'digits'", "cifar10"],
    ),
    "a folder of images that is not named": (
        "model: zerosnet\ndepth: 20\ndataset: image_folder\n",
        (3, 1),
        ["dataset.folder is missing"],
    ),
    "a folder of images that lies elsewhere": (
        "model: zerosnet\ndepth: 20\n"
        "dataset: {name: image_folder, size: 64, classes: 2, folder: /srv/pets}\n",
        (3, 53),
        ["folder '/srv/pets' is not below the data directory"],
    ),
    "a folder of images with a misspelt option": (
        "model: zerosnet\ndepth: 20\n"
        "dataset: {name: image_folder, size: 64, class: 2, folder: pets}\n",
        (3, 41),
        ["unknown key 'class' in dataset; did you mean 'classes'", "folder, horizontal_flip"],
    ),
    "a folder of one class": (
        "model: zerosnet\ndepth: 20\n"
        "dataset:\n  name: image_folder\n  size: 64\n  folder: pets\n  classes: [dog]\n",
        (7, 3),
        ["classes ['dog'] are not two or more"],
    ),
    "a folder of fewer images than the subset": (
        "model: zerosnet\ndepth: 20\ndataset:\n  name: image_folder\n  size: 64\n"
        "  folder: pets\n  classes: 2\n  images: {train: 10, test: 10}\n  subset: 11\n",
        (9, 3),
        ["subset 11 exceeds pets's 10 images"],
    ),
    "depth not 6n+2": (
        "model: zerosnet\ndepth: 33\ndataset: digits\n",
        (2, 1),
        ["depth 33 is not 6n + 2", "32 and 38"],
    ),
    "depth not 6n+2 on an axis": (
        BASE + "grid:\n  seed: [0, 1]\n  depth: [20, 32, 33]\n",
        (6, 19),
        ["depth 33 is not 6n + 2"],
    ),
    "depth as text": (
        "model: zerosnet\ndepth: '20'\ndataset: digits\n",
        (2, 1),
        ["depth: '20' is not allowed", "integer"],
    ),
    "absurd depth": (
        "model: zerosnet\ndepth: 6000000002\ndataset: digits\n",
        (2, 1),
        ["depth 6000000002 is more than the 10,000 layers"],
    ),
    "more start blocks than blocks": (
        "model: zerosnet\ndepth: 8\ndataset: digits\nscheme: {alpha: [1, 2, 3, 4], beta: 1}\n",
        (2, 1),
        ["no block would use the scheme", "depth 14 or more"],
    ),
    "lambda 0": (
        BASE + "grid:\n  scheme:\n    - {lambda: 10}\n    - {lambda: 0}\n",
        (7, 8),
        ["lambda must not be 0", "eq. 10"],
    ),
    "unknown form of scheme": (
        BASE + "scheme: {lamda: 10}\n",
        (4, 1),
        ["['lamda'] do not make a scheme", "{lambda: ...}"],
    ),
    "a scheme without coefficients": (BASE + "scheme: {alpha: []}\n", (4, 10), ["alpha is empty"]),
    "a scheme that is no mapping": (BASE + "scheme: 3\n", (4, 1), ["3 is not a scheme"]),
    "a scheme as a config keeps it": (
        BASE + "scheme: {learned: k}\n",
        (4, 10),
        ["trainable: true"],
    ),
    "a coefficient out of range": (
        BASE + f"scheme: {{alpha: [1{'0' * 400}], beta: 1}}\n",
        (4, 10),
        ["64-bit"],
    ),
    "empty axis": (BASE + "grid:\n  seed: []\n", (5, 3), ["axis 'seed' is empty", "remove it"]),
    "an axis that is no list": (
        BASE + "grid:\n  depth: 20\n",
        (5, 3),
        ["grid.depth: 20 is not allowed", "list"],
    ),
    "unknown axis": (
        BASE + "grid:\n  sceme: [1]\n",
        (5, 3),
        ["'sceme' cannot be an axis", "did you mean 'scheme'"],
    ),
    "misspelt path of an axis": (
        BASE + "training: {epochs: 3}\ngrid:\n  training.optimzer.lr: [0.1]\n",
        (6, 26),
        ["unknown key 'optimzer' in training", "did you mean 'optimizer'"],
    ),
    "an axis inside a plain value": (
        BASE + "grid:\n  precision.x: [1]\nprecision: fp32\n",
        (5, 17),
        ["precision is 'fp32', without keys"],
    ),
    "duplicate key": (
        BASE + "seed: 1\ndepth: 32\n",
        (5, 1),
        ["duplicate key 'depth'", "already on line 2", "keep one"],
    ),
    "duplicate value in an axis": (
        BASE + "grid:\n  seed: [0, 1,\n   0]\n",
        (6, 4),
        ["0 is twice in axis 'seed': it is already at ", ":5:10; keep one"],
    ),
    "duplicate scheme in an axis": (
        BASE + "grid:\n  scheme:\n    - {alpha: [1], beta: 1}\n    - {beta: 1, alpha: [1]}\n",
        (7, 7),
        ["is twice in axis 'scheme'"],
    ),
    "axis varied twice": (
        BASE + "grid:\n  depth: [20]\nzip:\n  seed: [1]\n  depth: [32]\n",
        (8, 3),
        ["axis 'depth' is already varied at", ":5:3", "keep one"],
    ),
    "axis varied twice under two names": (
        BASE + "grid:\n  depth: [20]\n  model.depth: [32]\n",
        (6, 3),
        ["axis 'model.depth' is already varied"],
    ),
    "zip of unequal lengths": (
        BASE + "zip:\n  depth: [20, 32]\n  seed: [1]\n",
        (4, 1),
        ["equal lengths", "'depth': 2", "'seed': 1"],
    ),
    "second group of zip of unequal lengths": (
        BASE + "zip:\n  - {depth: [20]}\n  - {seed: [1], precision: []}\n",
        (6, 17),
        ["axis 'precision' is empty"],
    ),
    "zip that is no mapping": (BASE + "zip: 3\n", (4, 1), ["zip: 3 is not allowed", "mapping"]),
    "an axis of zip that is no list": (
        BASE + "zip:\n  seed: [1]\n  depth: 3\n",
        (6, 3),
        ["zip.depth: 3 is not allowed", "list"],
    ),
    "an axis of a group of zip that is no list": (
        BASE + "zip:\n  - seed: [1]\n  - depth: 3\n",
        (6, 5),
        ["zip.1.depth: 3 is not allowed", "list"],
    ),
    "too many points": (
        BASE + f"seed: 0\ngrid:\n  seed: [{THOUSAND}]\n  training.epochs: [{THOUSAND}]\n"
        f"  training.batch_size: [{THOUSAND}]\n",
        (5, 1),
        ["1,000,000,000 points", "1000 seed x 1000 training.epochs", "250,000"],
    ),
    "include with an unknown key": (
        BASE + "include:\n  - {seed: 1}\n  - {seed: 2, sceme: {k: 1}}\n",
        (6, 15),
        ["'sceme' is not a key of the config", "did you mean 'scheme'"],
    ),
    "include with a bad value": (
        BASE + "include:\n  - {seed: 1}\n  - {seed: -2}\n",
        (6, 6),
        ["seed: -2 is not allowed"],
    ),
    "an included point that is no mapping": (
        BASE + "include: [3]\n",
        (4, 11),
        ["include.0: 3 is not allowed", "mapping"],
    ),
    "exclude that matches nothing": (
        BASE + "grid:\n  seed: [0, 1]\nexclude:\n  - {seed: 1}\n  - {seed: 2}\n",
        (8, 5),
        ["{'seed': 2} matches no point", "remove it"],
    ),
    "exclude with an unknown key": (
        BASE + "exclude:\n  - {sed: 1}\n",
        (5, 6),
        ["'sed' is not a key of the config", "did you mean 'seed'"],
    ),
    "exclude with an unknown key inside": (
        BASE + "exclude:\n  - {seed: 0, training.epoch: 2}\n",
        (5, 15),
        ["unknown key 'epoch' in training", "did you mean 'epochs'"],
    ),
    "exclude with an impossible value": (
        BASE + "exclude:\n  - {precision: fp61}\n",
        (5, 6),
        ["'fp61' is not allowed", "'bf16'"],
    ),
    "empty exclude": (BASE + "exclude:\n  - {}\n", (5, 5), ["would exclude every run"]),
    "everything excluded": (
        BASE + "grid:\n  seed: [0, 1]\nexclude:\n  - {seed: [0, 1]}\n",
        (6, 1),
        ["leaves no run over"],
    ),
    "unknown probe": (
        BASE + "probes:\n  - feature_norms\n  - principal_angels\n",
        (6, 5),
        ["unknown probe 'principal_angels'; did you mean 'principal_angles'"],
    ),
    "unknown option of a probe": (
        BASE + "probes:\n  - feature_norms\n  - {probe: principal_angles, by_clas: true}\n",
        (6, 31),
        ["unknown key 'by_clas' in probes.1; did you mean 'by_class'", "images_per_class"],
    ),
    "a probe every 0 epochs": (
        BASE + "probes:\n  - probe: feature_norms\n    every: 0\n",
        (6, 5),
        ["probes.0.every: 0 is not allowed: input should be greater than or equal to 1"],
    ),
    "a probe twice": (
        BASE + "probes: [runtime, feature_norms, {probe: runtime, batches: 2}]\n",
        (4, 1),
        ["probes: runtime is listed twice; keep one"],
    ),
    "a probe that is no list": (
        BASE + "probes: feature_norms\n",
        (4, 1),
        ["probes: 'feature_norms' is not a list of probes: write ["],
    ),
    "a probe that is a number": (
        BASE + "probes: [3]\n",
        (4, 10),
        ["probes.0: 3 is not a probe: give its name, or {probe: name, ...}"],
    ),
    "a probe of what nothing learns": (
        BASE + "probes: [learned_coefficients]\n",
        (4, 1),
        ["probes has learned_coefficients, but zerosnet learns none", "trainable: true"],
    ),
    "a probe of what a scheme on an axis does not learn": (
        BASE
        + "probes: [learned_coefficients]\ngrid:\n"
        + "  scheme: [{lambda: 1, trainable: true}, {lambda: 1}]\n",
        (4, 1),
        ["probes has learned_coefficients, but zerosnet learns none", "1.5, -1, 0.5; 1"],
    ),
    "unknown noise": (
        BASE + "evaluations:\n  - {noise: gausian, std: 0.1}\n",
        (5, 6),
        ["unknown evaluation 'gausian'", "did you mean 'gaussian'", "uniform"],
    ),
    "noise that is no text": (
        BASE + "evaluations:\n  - {std: 0.1, noise: [1]}\n",
        (5, 16),
        ["noise: [1] is not allowed"],
    ),
    "evaluation without its number": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.1}\n  - {noise: gaussian}\n",
        (6, 5),
        ["std is missing"],
    ),
    "evaluation with an unknown key": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.1, sed: 2}\n",
        (5, 33),
        ["unknown key 'sed'; did you mean 'seed'", "allowed: noise, seed, std"],
    ),
    "evaluation with a bad number": (
        BASE + "evaluations:\n  - {noise: uniform, low: 0, high: 2}\n",
        (5, 30),
        ["high: 2 is not allowed", "less than or equal to 1"],
    ),
    "evaluation with its bounds swapped": (
        BASE + "evaluations:\n  - noise: uniform\n    low: 0.5\n    high: 0.1\n",
        (6, 5),
        ["low (0.5) must be below high (0.1)"],
    ),
    "duplicate evaluation": (
        BASE + "evaluations:\n  - {noise: constant, mu: 0.5}\n  - {noise: constant, value: 1/2}\n",
        (6, 5),
        ["constant[0.5] is listed twice", "keep one"],
    ),
    "an evaluation that is no mapping": (
        BASE + "evaluations: [gaussian]\n",
        (4, 15),
        ["evaluations.0: 'gaussian' is not allowed", "mapping"],
    ),
    "evaluations that are no list": (
        BASE + "evaluations: {noise: gaussian}\n",
        (4, 1),
        ["is not allowed", "list"],
    ),
    "negative resources": (
        BASE + "resources:\n  cpus: 1\n  gpus: -0.5\n",
        (6, 3),
        ["resources.gpus: -0.5 is not allowed", "greater than or equal to 0"],
    ),
    "no core at all": (
        BASE + "resources: {cpus: 0}\n",
        (4, 13),
        ["greater than or equal to 0.001"],
    ),
    "unknown resource": (
        BASE + "resources: {gpu: 1}\n",
        (4, 13),
        ["unknown key 'gpu' in resources; did you mean 'gpus'"],
    ),
    "resources that are no mapping": (
        BASE + "resources: 2\n",
        (4, 1),
        ["resources: 2 is not allowed: input should be a mapping"],
    ),
    "name with a slash": (
        BASE + "name: a/b\n",
        (4, 1),
        ["'a/b' is not a name for a sweep: use letters, digits"],
    ),
    "name that leads out": (BASE + "name: ../x\n", (4, 1), ["'../x' is not a name"]),
    "empty name": (BASE + "name: ''\n", (4, 1), ["'' is not a name"]),
    "name that is a date": (BASE + "name: 2020-01-01\n", (4, 7), ["is a date", "quotes"]),
    "name that is a number": (BASE + "name: 3\n", (4, 1), ["name: 3 is not allowed", "string"]),
    "epochs as a fraction": (
        BASE + "training: {epochs: 1/2}\n",
        (4, 12),
        ["training.epochs: '1/2' is not allowed"],
    ),
    "rate divided by zero": (
        BASE + "training:\n  optimizer:\n    lr: 1/0\n",
        (6, 5),
        ["training.optimizer.lr: '1/0' divides by zero"],
    ),
    "infinite rate": (
        BASE + "training: {optimizer: {lr: .inf}}\n",
        (4, 24),
        ["training.optimizer.lr: inf is not allowed", "finite"],
    ),
    "a number with no canonical form": (
        BASE + "training:\n  epochs: 2\n  batch_size: 100000000000000000000\n",
        (6, 3),
        ["training.batch_size: 100000000000000000000 is not allowed", "2**53"],
    ),
    "milestones that go back": (
        BASE + "training: {epochs: 10, lr_schedule: {milestones: [3/4, 1/2]}}\n",
        (4, 38),
        ["milestones [7, 5] (in epochs) do not ascend"],
    ),
    "a learning rate beyond float32": (
        BASE + "training: {optimizer: {lr: 1e39}}\n",
        (4, 24),
        ["training.optimizer.lr: 1e+39 is not allowed"],
    ),
    "a weight decay beyond float32": (
        BASE + "training: {optimizer: {weight_decay: 1e39}}\n",
        (4, 24),
        ["training.optimizer.weight_decay: 1e+39 is not allowed"],
    ),
    "a learning rate that grows beyond float32": (
        BASE + "training: {lr_schedule: {gamma: 1e30}}\n",
        (4, 26),
        ["gamma 1e+30 makes the learning rate grow beyond 3.4e+38"],
    ),
    "a learning rate that grows beyond any float": (
        BASE + "training: {lr_schedule: {gamma: 1e308}}\n",
        (4, 26),
        ["gamma 1e+308 makes the learning rate grow beyond 3.4e+38"],
    ),
    "noise beyond all pixels": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 1e300}\n",
        (5, 23),
        ["std: ", "is not allowed: input should be less than or equal to 1000"],
    ),
    "a fraction of a core among millions": (
        BASE + "resources: {cpus: 1e-300}\n",
        (4, 13),
        ["resources.cpus: ", "is not allowed: input should be greater than or equal to 0.001"],
    ),
    "two depths": (
        "model: {name: zerosnet, depth: 32}\ndepth: 20\ndataset: digits\n",
        (2, 1),
        ["depth is also set inside model; keep one"],
    ),
    "an included point of two depths": (
        BASE + "include:\n  - {model.depth: 20, model: {name: zerosnet, depth: 32}}\n",
        (5, 6),
        ["model.depth is also set inside model; keep one"],
    ),
    "an included point with one setting by two names": (
        BASE + "include:\n  - {model.depth: 20, depth: 32}\n",
        (5, 23),
        ["depth is model.depth, which is set too; keep one"],
    ),
    "an axis inside the values of another": (
        BASE
        + "grid:\n  training.optimizer.lr: [0.1]\n"
        + "  training.optimizer: [{lr: 0.5}, {momentum: 0}]\n",
        (5, 3),
        ["training.optimizer.lr is also set inside training.optimizer; keep one"],
    ),
    "an axis of depths, and one of models with theirs": (
        "dataset: digits\n"
        "grid: {model: [zerosnet, {name: preresnet, depth: 32}], depth: [20, 44]}\n",
        (2, 57),
        ["depth is also set inside model; keep one"],
    ),
    "a boolean by its tag": (
        BASE + "compile: !!bool on\n",
        (4, 10),
        ["'on' cannot be read as bool"],
    ),
    "a null by its tag": (
        BASE + "grid: {seed: [0, 1]}\nseed: !!null 3\n",
        (5, 7),
        ["'3' cannot be read as null"],
    ),
    "a trainer in the folder above": (
        BASE + "trainer: '..:train'\n",
        (4, 1),
        ["trainer: '..:train' is not allowed"],
    ),
    "a class that moves the cursor": (
        "model: zerosnet\ndepth: 20\ndataset:\n"
        '  {name: image_folder, folder: a, size: 32, classes: ["\\e[2J", b]}\n',
        (4, 45),
        ["classes: '\\x1b[2J' is no name of a sub-folder"],
    ),
    "nesterov without momentum": (
        BASE + "training:\n  optimizer: {momentum: 0, nesterov: true}\n",
        (5, 28),
        ["nesterov needs a momentum above 0"],
    ),
    "subset beyond the dataset": (
        "model: zerosnet\ndepth: 20\ndataset:\n  name: digits\n  subset: 5000\n",
        (5, 3),
        ["subset 5000 exceeds digits's 1297 images"],
    ),
    "subset beyond the dataset on an axis": (
        BASE + "grid:\n  dataset.subset: [10, 5000]\n",
        (5, 24),
        ["subset 5000 exceeds digits's 1297 images"],
    ),
    "precision": (BASE + "precision: fp61\n", (4, 1), ["'fp61' is not allowed", "'fp32'"]),
    "trainer": (BASE + "trainer: mine\n", (4, 1), ["unknown trainer 'mine'", "module:function"]),
    "python object": (
        BASE + "seed: !!python/object/apply:os.system ['true']\n",
        (4, 7),
        ["python/object/apply:os.system is not allowed"],
    ),
    "alias bomb": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{key}: &{key} [{','.join(['*' + last] * 10)}]\n"
            for last, key in zip("abcdefghi", "bcdefghij", strict=True)
        ),
        (4, 1),
        ["more than 8,000 keys and values once its aliases are expanded"],
    ),
    "recursive alias": (BASE + "seed: &s [*s]\n", (4, 7), ["inside its own anchor"]),
    "too deep": (
        BASE + "seed: " + "[" * 60 + "]" * 60 + "\n",
        (4, 47),
        ["nested too deeply"],
    ),
    "too deep for python": (BASE + "seed: " + "[" * 1000, (4, 47), ["nested too deeply"]),
    "not a mapping": ("- model: zerosnet\n", (1, 1), ["a spec is a mapping"]),
    "empty file": ("", (1, 1), ["a spec is a mapping", "model: zerosnet"]),
    "not YAML": (BASE + "grid: {depth: [20\n", (4, 15), ["not valid YAML"]),
}

HOSTILE: dict[str, Wrong] = {
    "a tab for indentation": (BASE + "training:\n\tepochs: 2\n", (5, 1), ["not valid YAML"]),
    "a quote that never ends": (BASE + "description: 'it\nseed: 1\n", (4, 14), ["not valid YAML"]),
    "a bracket that closes nothing": (
        BASE + "seed: 1]\n",
        (4, 1),
        ["seed: '1]' is not allowed: input should be a"],
    ),
    "a brace that never ends": (BASE + "training: {epochs: 2\n", (4, 11), ["not valid YAML"]),
    "a line indented too little": (
        BASE + "training:\n    epochs: 2\n  batch_size: 4\n",
        (6, 3),
        ["not valid YAML"],
    ),
    "a key without a colon": (BASE + "seed 1\n", (4, 1), ["not valid YAML"]),
    "two values in one line": (BASE + "seed: 1: 2\n", (4, 8), ["not valid YAML"]),
    "an alias of nothing": (BASE + "training: *recipe\n", (4, 11), ["not valid YAML"]),
    "two anchors on one value": (BASE + "seed: &a &b 1\n", (4, 10), ["not valid YAML"]),
    "two documents": (BASE + "---\nmodel: zerosnet\n", (4, 1), ["not valid YAML"]),
    "an older YAML": (
        "%YAML 1.1\n---\nmodel: zerosnet\ndepth: 20\ndataset: digits\n",
        (2, 1),
        ["a spec is YAML 1.2, not 1.1: remove the line"],
    ),
    "a YAML of the future": (
        "%YAML 2.0\n---\nmodel: zerosnet\ndepth: 20\ndataset: digits\n",
        (1, 1),
        ["not valid YAML"],
    ),
    "a directive in the middle": (
        BASE + "...\n%YAML 2.0\n---\nseed: 1\n",
        (5, 1),
        ["not valid YAML"],
    ),
    "an unknown tag handle": (BASE + "seed: !e!int 1\n", (4, 7), ["not valid YAML"]),
    "a block text with a wrong header": (
        BASE + "description: |x\n  text\n",
        (4, 15),
        ["not valid YAML"],
    ),
    "an escape that is none": (BASE + 'description: "\\q"\n', (4, 16), ["not valid YAML"]),
    "an escape beyond unicode": (
        BASE + 'description: "\\U00110000"\n',
        (4, 17),
        ["not valid YAML"],
    ),
    "half of a surrogate pair": (
        BASE + 'description: "\\ud800"\n',
        (4, 14),
        ["'\\ud800' in '\\ud800' is no character of a"],
    ),
    "a NUL written as an escape": (
        BASE + 'description: "a\\0b"\n',
        (4, 14),
        ["'\\x00' in 'a\\x00b' is no character of a text;"],
    ),
    "a control character": (BASE + "description: a\x07b\n", (4, 15), ["not valid YAML"]),
    "a reserved character": (BASE + "description: @home\n", (4, 14), ["not valid YAML"]),
    "a list at the top": (
        "[model, depth]\n",
        (1, 1),
        ["a spec is a mapping of keys to values, such"],
    ),
    "a text at the top": ("zerosnet\n", (1, 1), ["a spec is a mapping of keys to values, such"]),
    "comments only": (
        "# model: zerosnet\n# depth: 20\n",
        (1, 1),
        ["a spec is a mapping of keys to values, such"],
    ),
    "a document without content": (
        "---\n...\n",
        (1, 1),
        ["a spec is a mapping of keys to values, such"],
    ),
    "a comma too many": (BASE + "grid: {seed: [0,,1]}\n", (4, 17), ["not valid YAML"]),
    "a set": (
        BASE + "seed: !!set {0, 1}\n",
        (4, 7),
        ["tag:yaml.org,2002:set is not allowed: a spec"],
    ),
    "binary data": (
        BASE + "description: !!binary aGk=\n",
        (4, 14),
        ["tag:yaml.org,2002:binary is not allowed: a"],
    ),
    "an object of Python's": (
        "model: !!python/name:os.system\ndepth: 20\ndataset: digits\n",
        (1, 8),
        ["tag:yaml.org,2002:python/name:os.system is"],
    ),
    "a merge key": (
        "shared: &shared {depth: 20}\n<<: *shared\nmodel: zerosnet\n",
        (2, 1),
        ["merge keys (<<) are not supported; write the"],
    ),
    "a key that is a number": (
        BASE + "1: 2\n",
        (4, 1),
        ["1 is not a key: keys are text; quote it"],
    ),
    "a key that is a list": (
        BASE + "? [a, b]\n: 2\n",
        (4, 3),
        ["['a', 'b'] is not a key: keys are text; quote"],
    ),
    "an alias inside its own mapping": (
        BASE + "training: &t {optimizer: *t}\n",
        (4, 11),
        ["an alias (*) here is inside its own"],
    ),
    "UTF-16": (
        ("\ufeff" + BASE).encode("utf-16-le"),
        (1, 1),
        ["byte 0xff is not UTF-8 text; save the spec as"],
    ),
    "UTF-16, big end first": (
        ("\ufeff" + BASE).encode("utf-16-be"),
        (1, 1),
        ["byte 0xfe is not UTF-8 text; save the spec as"],
    ),
    "UTF-16 without a mark": (BASE.encode("utf-16-le"), (1, 2), ["not valid YAML"]),
    "UTF-32": (
        ("\ufeff" + BASE).encode("utf-32-le"),
        (1, 1),
        ["byte 0xff is not UTF-8 text; save the spec as"],
    ),
    "Latin-1": (
        (BASE + "description: größer\n").encode("latin-1"),
        (4, 16),
        ["byte 0xf6 is not UTF-8 text; save the spec as"],
    ),
    "UTF-8 cut in a character": (
        (BASE + "description: größe").encode()[:-4],
        (4, 16),
        ["byte 0xc3 is not UTF-8 text; save the spec as"],
    ),
    "a NUL byte": (BASE.encode() + b"seed: 1\x00\n", (4, 8), ["not valid YAML"]),
    "nothing but NULs": (b"\0" * 1000, (1, 1), ["not valid YAML"]),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(64), (1, 1), ["not valid YAML"]),
    "a compressed file": (
        b"\x1f\x8b\x08\x00" + bytes(range(256)),
        (1, 2),
        ["byte 0x8b is not UTF-8 text; save the spec as"],
    ),
    "Windows line ends": (
        (BASE + "seed: x\n").replace("\n", "\r\n").encode(),
        (4, 1),
        ["seed: 'x' is not allowed: input should be a"],
    ),
    "line ends of old Macs": (
        (BASE + "seed: x\n").replace("\n", "\r").encode(),
        (4, 1),
        ["seed: 'x' is not allowed: input should be a"],
    ),
    "a byte order mark in front of a mistake": (
        b"\xef\xbb\xbf" + (BASE + "sed: 1\n").encode(),
        (4, 1),
        ["unknown key 'sed'; did you mean 'seed'?"],
    ),
    "width 0": (
        "model: {name: zerosnet, width: 0}\ndepth: 20\ndataset: digits\n",
        (1, 25),
        ["model.width: 0 is not allowed: input should"],
    ),
    "a network too wide": (
        "model: {name: zerosnet, width: 5000}\ndepth: 20\ndataset: digits\n",
        (1, 25),
        ["model.width: 5000 is not allowed: input"],
    ),
    "a width in words": (
        "model: {name: zerosnet, width: wide}\ndepth: 20\ndataset: digits\n",
        (1, 25),
        ["model.width: 'wide' is not allowed: input"],
    ),
    "an unknown way over a stage change": (
        "model: {name: zerosnet, stage_change: jump}\ndepth: 20\ndataset: digits\n",
        (1, 25),
        ["model.stage_change: 'jump' is not allowed:"],
    ),
    "start blocks too few for the scheme": (
        "model: {name: tm_resnet, start_blocks: 1}\ndepth: 20\ndataset: digits\n",
        (1, 26),
        ["model: start_blocks 1 is too few: a scheme of 3 steps needs 2"],
    ),
    "a scheme for a network that takes none": (
        "model: resnet\ndepth: 18\nscheme: {alpha: 1}\ndataset: digits\n",
        (3, 1),
        ["resnet is no linear multistep method: remove scheme, or choose preresnet"],
    ),
    "an option that goes with one scheme only": (
        "depth: 29\nmodel: {name: resnext, preactivation: false}\ndataset: digits\n"
        "scheme: {lambda: 1}\n",
        (2, 24),
        ["model: preactivation false has ReLU after the addition"],
    ),
    "a depth that the number of blocks contradicts": (
        "dataset: digits\nmodel: fractalnet\ndepth: 33\n",
        (3, 1),
        ["depth 33 is not 5 blocks of 2^(columns - 1) layers; the nearest are 20 and 40"],
    ),
    "start blocks below zero": (
        "model: {name: zerosnet, start_blocks: -1}\ndepth: 20\ndataset: digits\n",
        (1, 25),
        ["model.start_blocks: -1 is not allowed: input"],
    ),
    "start blocks without end": (
        "model: {name: zerosnet, start_blocks: 10000000000000000000}\ndepth: 20\ndataset: digits\n",
        (2, 1),
        ["depth 20 gives the network 9 blocks, of which"],
    ),
    "depth as a fraction": (
        "model: zerosnet\ndepth: 20.5\ndataset: digits\n",
        (2, 1),
        ["depth: 20.5 is not allowed: input should be a"],
    ),
    "depth true": (
        "model: zerosnet\ndepth: true\ndataset: digits\n",
        (2, 1),
        ["depth: True is not allowed: input should be a"],
    ),
    "depth 0": (
        "model: zerosnet\ndepth: 0\ndataset: digits\n",
        (2, 1),
        ["depth 0 is not 6n + 2 for a whole n >= 1; the"],
    ),
    "depth below zero": (
        "model: zerosnet\ndepth: -20\ndataset: digits\n",
        (2, 1),
        ["depth -20 is not 6n + 2 for a whole n >= 1;"],
    ),
    "several depths outside the grid": (
        "model: zerosnet\ndepth: [20, 32]\ndataset: digits\n",
        (2, 1),
        ["depth: [20, 32] is not allowed: input should"],
    ),
    "depth of 5,000 hexadecimal digits": (
        BASE.replace("20", "0x" + "f" * 5000),
        (2, 8),
        ["has more digits than any number here"],
    ),
    "depth in exponents": (
        "model: zerosnet\ndepth: 1e999999\ndataset: digits\n",
        (2, 1),
        ["depth: inf is not allowed: input should be a"],
    ),
    "depth inside a depth": (
        "model: zerosnet\ndepth: {depth: 20}\ndataset: digits\n",
        (2, 1),
        ["depth: {'depth': 20} is not allowed: input"],
    ),
    "several datasets outside the grid": (
        "model: zerosnet\ndepth: 20\ndataset: [digits, mnist]\n",
        (3, 1),
        ["dataset: ['digits', 'mnist'] is not a"],
    ),
    "a dataset without a name": (
        "model: zerosnet\ndepth: 20\ndataset: {subset: 10}\n",
        (3, 1),
        ["dataset: {'subset': 10} is not a dataset:"],
    ),
    "a dataset that is a path": (
        "model: zerosnet\ndepth: 20\ndataset: ../../etc/passwd\n",
        (3, 1),
        ["dataset: unknown dataset '../../etc/passwd'"],
    ),
    "a subset of nothing": (
        "model: zerosnet\ndepth: 20\ndataset: {name: digits, subset: 0}\n",
        (3, 25),
        ["dataset.subset: 0 is not allowed: input"],
    ),
    "a subset in percent": (
        "model: zerosnet\ndepth: 20\ndataset: {name: digits, subset: 10%}\n",
        (3, 25),
        ["dataset.subset: '10%' is not allowed: input"],
    ),
    "padding beyond reason": (
        "model: zerosnet\ndepth: 20\ndataset: {name: digits, crop_padding: 65}\n",
        (3, 25),
        ["dataset.crop_padding: 65 is not allowed:"],
    ),
    "a flip that is neither true nor false": (
        "model: zerosnet\ndepth: 20\ndataset: {name: digits, horizontal_flip: sometimes}\n",
        (3, 25),
        ["dataset.horizontal_flip: 'sometimes' is neither true nor false"],
    ),
    "seed below zero": (BASE + "seed: -1\n", (4, 1), ["seed: -1 is not allowed: input should be"]),
    "seed as a fraction": (
        BASE + "seed: 0.5\n",
        (4, 1),
        ["seed: 0.5 is not allowed: input should be a"],
    ),
    "seed true": (BASE + "seed: true\n", (4, 1), ["seed: True is not allowed: input should be a"]),
    "seed beyond what floats tell apart": (
        BASE + "seed: 9007199254740992\n",
        (4, 1),
        ["seed: 9007199254740992 is not allowed: input"],
    ),
    "seed of 5,000 digits": (
        BASE + "seed: " + "9" * 5000 + "\n",
        (4, 7),
        ["cannot be read as int"],
    ),
    "a precision that is a number": (
        BASE + "precision: 32\n",
        (4, 1),
        ["precision: 32 is not allowed: input should be"],
    ),
    "a trainer that is a path": (
        BASE + "trainer: /tmp/evil.py\n",
        (4, 1),
        ["trainer: '/tmp/evil.py' is not allowed:"],
    ),
    "a trainer that is a list": (
        BASE + "trainer: [os, system]\n",
        (4, 1),
        ["trainer: ['os', 'system'] is not allowed:"],
    ),
    "no epochs": (
        BASE + "training: {epochs: 0}\n",
        (4, 12),
        ["training.epochs: 0 is not allowed: input"],
    ),
    "a million epochs": (
        BASE + "training: {epochs: 1000000}\n",
        (4, 12),
        ["training.epochs: 1000000 is not allowed:"],
    ),
    "a batch of one": (
        BASE + "training: {batch_size: 1}\n",
        (4, 12),
        ["training.batch_size: 1 is not allowed: input"],
    ),
    "training that is a list": (
        BASE + "training: [epochs, 2]\n",
        (4, 1),
        ["training: ['epochs', 2] is not allowed: input"],
    ),
    "a learning rate of 0": (
        BASE + "training: {optimizer: {lr: 0}}\n",
        (4, 24),
        ["training.optimizer.lr: 0 is not allowed:"],
    ),
    "a learning rate below zero": (
        BASE + "training: {optimizer: {lr: -0.1}}\n",
        (4, 24),
        ["training.optimizer.lr: -0.1 is not allowed:"],
    ),
    "a learning rate that is no number": (
        BASE + "training: {optimizer: {lr: .nan}}\n",
        (4, 24),
        ["training.optimizer.lr: nan is not allowed:"],
    ),
    "a learning rate with a comma": (
        BASE + "training: {optimizer: {lr: '0,1'}}\n",
        (4, 24),
        ["training.optimizer.lr: '0,1' is not a number"],
    ),
    "momentum of 1": (
        BASE + "training: {optimizer: {momentum: 1}}\n",
        (4, 24),
        ["training.optimizer.momentum: 1 is not"],
    ),
    "weight decay below zero": (
        BASE + "training: {optimizer: {weight_decay: -1e-4}}\n",
        (4, 24),
        ["training.optimizer.weight_decay: -0.0001 is"],
    ),
    "gamma of 0": (
        BASE + "training: {lr_schedule: {gamma: 0}}\n",
        (4, 26),
        ["training.lr_schedule.gamma: 0 is not allowed:"],
    ),
    "misspelt schedule": (
        BASE + "training: {lr_schedule: {name: cosin}}\n",
        (4, 26),
        ["unknown schedule 'cosin'; did you mean 'cosine'? (known: cosine, linear, one_cycle,"],
    ),
    "a list for a schedule": (
        BASE + "training: {lr_schedule: [1, 2]}\n",
        (4, 12),
        ["training.lr_schedule: [1, 2] is no schedule: give its name"],
    ),
    "a number for a schedule's name": (
        BASE + "training: {lr_schedule: {name: 1}}\n",
        (4, 26),
        ["1 is not the name of a schedule"],
    ),
    "unknown option of a schedule": (
        BASE + "training:\n  lr_schedule:\n    name: cosine\n    eta_min: 0.1\n",
        (7, 5),
        [
            "unknown key 'eta_min' in training.lr_schedule",
            "by, min_lr, name, rate_at, warmup_epochs",
        ],
    ),
    "a least rate above the rate": (
        BASE + "training: {lr_schedule: {name: linear, min_lr: 0.2}}\n",
        (4, 40),
        ["min_lr 0.2 is above the optimizer's lr, 0.1"],
    ),
    "a warm-up longer than the training": (
        BASE + "training: {epochs: 5, lr_schedule: {name: cosine, warmup_epochs: 5}}\n",
        (4, 51),
        ["warmup_epochs 5 leaves nothing of 5 epochs"],
    ),
    "a warm-up of more steps than the training has": (
        BASE + "training:\n  epochs: 2\n  batch_size: 100\n  accumulation: 2\n"
        "  lr_schedule: {name: cosine, by: step, warmup_steps: 14}\n",
        (8, 41),
        ["warmup_steps 14 leaves nothing of 14 steps in 2 epochs"],
    ),
    "a warm-up of steps by epochs": (
        BASE + "training: {lr_schedule: {name: cosine, warmup_steps: 5}}\n",
        (4, 40),
        ["warmup_steps needs by: step; or give warmup_epochs"],
    ),
    "two warm-ups": (
        BASE + "training:\n  lr_schedule: {by: step, warmup_epochs: 1, warmup_steps: 5}\n",
        (5, 45),
        ["warmup_steps stands beside warmup_epochs: keep one"],
    ),
    "a milestone in the warm-up": (
        BASE + "training: {lr_schedule: {milestones: [3, 80], warmup_epochs: 5}}\n",
        (4, 26),
        ["milestone 3 is inside the warm-up of 5 epochs"],
    ),
    "a milestone in the steps of the warm-up": (
        BASE + "training: {lr_schedule: {milestones: [2], by: step, warmup_steps: 23}}\n",
        (4, 26),
        ["milestone 2 is inside the warm-up of 23 steps (11 in an epoch)"],
    ),
    "a validation split of everything": (
        "model: zerosnet\ndepth: 20\ndataset: {name: digits, subset: 1}\n"
        "training: {lr_schedule: plateau}\n",
        (4, 12),
        ["validation leaves no image to train on"],
    ),
    "three phases and no room": (
        BASE + "training: {lr_schedule: {name: one_cycle, three_phase: true, pct_start: 1/2}}\n",
        (4, 62),
        ["pct_start 0.5 leaves no third phase"],
    ),
    "two ways to clip": (
        BASE + "training: {clip_norm: 1, clip_value: 1}\n",
        (4, 26),
        ["clip_value stands beside clip_norm: keep one"],
    ),
    "a label that is all smoothed": (
        BASE + "training: {label_smoothing: 1}\n",
        (4, 12),
        ["training.label_smoothing: 1 is not allowed: input should be less than 1"],
    ),
    "an average that keeps everything": (
        BASE + "training: {ema_decay: 1}\n",
        (4, 12),
        ["training.ema_decay: 1 is not allowed: input should be less than 1"],
    ),
    "steps of no batch": (
        BASE + "training: {accumulation: 0}\n",
        (4, 12),
        ["training.accumulation: 0 is not allowed"],
    ),
    "a milestone before the start": (
        BASE + "training: {lr_schedule: {milestones: [-1/2]}}\n",
        (4, 26),
        ["training.lr_schedule.milestones: milestone"],
    ),
    "a milestone between two epochs": (
        BASE + "training: {lr_schedule: {milestones: [1.5]}}\n",
        (4, 26),
        ["training.lr_schedule.milestones: milestone"],
    ),
    "milestones that are no list": (
        BASE + "training: {lr_schedule: {milestones: 1/2}}\n",
        (4, 26),
        ["training.lr_schedule.milestones: '1/2' is not"],
    ),
    "nesterov that is neither true nor false": (
        BASE + "training: {optimizer: {nesterov: perhaps}}\n",
        (4, 24),
        ["training.optimizer.nesterov: 'perhaps' is neither true nor false"],
    ),
    "a scheme of 33 steps": (
        BASE + "scheme: {alpha: [" + "1, " * 33 + "]}\n",
        (4, 10),
        ["scheme.alpha: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0,"],
    ),
    "a coefficient in words": (
        BASE + "scheme: {alpha: [one]}\n",
        (4, 10),
        ["scheme: 'one' is not a number or a fraction"],
    ),
    "a coefficient that is a list": (
        BASE + "scheme: {alpha: [[1]]}\n",
        (4, 10),
        ["scheme.alpha: [1] is not a number or a"],
    ),
    "a coefficient left empty": (
        BASE + "scheme: {alpha: [1, null]}\n",
        (4, 10),
        ["scheme.alpha: None is not a number or a"],
    ),
    "an infinite coefficient": (
        BASE + "scheme: {alpha: [.inf]}\n",
        (4, 10),
        ["scheme: inf is not a finite number"],
    ),
    "beta in words": (
        BASE + "scheme: {alpha: [1], beta: one}\n",
        (4, 22),
        ["scheme: 'one' is not a number or a fraction"],
    ),
    "beta divided by zero": (
        BASE + "scheme: {alpha: [1], beta: 1/0}\n",
        (4, 22),
        ["scheme: '1/0' divides by zero"],
    ),
    "a fraction of fractions": (
        BASE + "scheme: {alpha: [1/2/3]}\n",
        (4, 10),
        ["scheme: '1/2/3' is not a number or a fraction"],
    ),
    "a fraction of 2,000 digits": (
        BASE + f"scheme: {{alpha: [1/{10**1999}]}}\n",
        (4, 10),
        ["scheme: '1/100000000000000000'... is 2,002 characters long, and a number has 2,000"],
    ),
    "a decimal of 2,000 digits": (
        BASE + f"scheme: {{alpha: [0.{10**1999}]}}\n",
        (4, 18),
        ["is 2,002 characters long, and a number has 2,000 at most"],
    ),
    "a decimal whose exponent has five digits": (
        BASE + "scheme: {alpha: [1e-99999]}\n",
        (4, 18),
        ["'1e-99999' has an exponent beyond 2,000"],
    ),
    "beta alone": (
        BASE + "scheme: {beta: 1}\n",
        (4, 1),
        ["scheme: keys ['beta'] do not make a scheme: a"],
    ),
    "k and lambda at once": (
        BASE + "scheme: {k: 1, lambda: 1}\n",
        (4, 1),
        ["scheme: keys ['k', 'lambda'] do not make a"],
    ),
    "alpha and lambda at once": (
        BASE + "scheme: {alpha: [1], lambda: 1}\n",
        (4, 1),
        ["scheme: keys ['alpha', 'lambda'] do not make"],
    ),
    "a range that is not trainable": (
        BASE + "scheme: {k: [-0.1, 0]}\n",
        (4, 10),
        ["scheme: k [-0.1, 0] is a range to start from,"],
    ),
    "a range of three": (
        BASE + "scheme: {k: [-0.1, 0, 1], trainable: true}\n",
        (4, 10),
        ["scheme: k [-0.1, 0, 1] is neither a number"],
    ),
    "a range the wrong way round": (
        BASE + "scheme: {k: [0, -0.1], trainable: true}\n",
        (4, 10),
        ["scheme: k range [0, -0.1] is empty: low"],
    ),
    "a range of lambda that holds 0": (
        BASE + "scheme: {lambda: [-1, 1], trainable: true}\n",
        (4, 10),
        ["scheme: lambda must not be 0, nor start in a"],
    ),
    "trainable in words": (
        BASE + "scheme: {lambda: 1, trainable: often}\n",
        (4, 21),
        ["scheme: trainable 'often' is neither true nor false"],
    ),
    "a scheme that is a list": (
        BASE + "scheme: [1, 1, 1]\n",
        (4, 1),
        ["scheme: [1, 1, 1] is not a scheme: a scheme"],
    ),
    "a scheme that is a name": (
        BASE + "scheme: euler\n",
        (4, 1),
        ["scheme: 'euler' is not a scheme: a scheme is"],
    ),
    "a grid that is a list": (
        BASE + "grid: [seed]\n",
        (4, 1),
        ["grid: ['seed'] is not allowed: input should"],
    ),
    "an axis that is a mapping": (
        BASE + "grid:\n  seed: {from: 0, to: 9}\n",
        (5, 3),
        ["grid.seed: {'from': 0, 'to': 9} is not"],
    ),
    "an axis without a name": (
        BASE + "grid:\n  '': [1]\n",
        (5, 3),
        ["'' cannot be an axis (it starts with one of"],
    ),
    "an axis that is a dot": (
        BASE + "grid:\n  .: [1]\n",
        (5, 3),
        ["'.' cannot be an axis (it starts with one of"],
    ),
    "an axis with two dots in a row": (
        BASE + "grid:\n  training..epochs: [1]\n",
        (5, 22),
        ["unknown key '' in training (allowed:"],
    ),
    "an axis nine keys deep": (
        BASE + "grid:\n  training.a.b.c.d.e.f.g.h.i: [1]\n",
        (5, 3),
        ["'training.a.b.c.d.e.f.g.h.i' cannot be an"],
    ),
    "an axis of names": (
        BASE + "grid:\n  name: [a, b]\n",
        (5, 3),
        ["'name' cannot be an axis; did you mean 'model.name'? (it starts with one"],
    ),
    "an axis of resources": (
        BASE + "grid:\n  resources.cpus: [1, 2]\n",
        (5, 3),
        ["'resources.cpus' cannot be an axis (it starts"],
    ),
    "an axis of grids": (
        BASE + "grid:\n  grid.depth: [20]\n",
        (5, 3),
        ["'grid.depth' cannot be an axis (it starts"],
    ),
    "an axis inside of an axis that is no mapping": (
        BASE + "grid:\n  seed.x: [1]\n",
        (5, 12),
        ["seed.x cannot be set: seed is 0, without keys"],
    ),
    "an axis whose last value is wrong": (
        BASE + "grid:\n  depth: [20, 26, 32, 38, 44, 50, 56, 63]\n",
        (5, 39),
        ["depth 63 is not 6n + 2 for a whole n >= 1;"],
    ),
    "an axis that varies a list by its position": (
        BASE + "grid:\n  scheme.alpha.0: [1]\n",
        (5, 20),
        ["scheme.alpha: {'0': 1} is not a number or a"],
    ),
    "a grid of 10^18 points": (
        BASE + "grid:\n" + "".join(f"  training.x{n}: [{THOUSAND}]\n" for n in range(6)),
        (4, 1),
        ["1,000,000,000,000,000,000 points (1000"],
    ),
    "a zip that is a text": (
        BASE + "zip: seed\n",
        (4, 1),
        ["zip: 'seed' is not allowed: input should be a"],
    ),
    "a group of zip that is a list": (
        BASE + "zip: [[seed]]\n",
        (4, 7),
        ["zip.0: ['seed'] is not allowed: input should"],
    ),
    "an empty axis in a zip": (
        BASE + "zip:\n  seed: []\n",
        (5, 3),
        ["axis 'seed' is empty: give it values, or"],
    ),
    "an unknown axis in a zip": (
        BASE + "zip:\n  seeds: [1, 2]\n",
        (5, 3),
        ["'seeds' cannot be an axis; did you mean"],
    ),
    "include that is a mapping": (
        BASE + "include: {seed: 1}\n",
        (4, 1),
        ["include: {'seed': 1} is not allowed: input"],
    ),
    "an included point that is empty": (
        BASE + "include:\n  -\n",
        (5, 4),
        ["include.0: None is not allowed: input should"],
    ),
    "an included depth that no network has": (
        BASE + "include:\n  - {depth: 32}\n  - {depth: 33}\n",
        (6, 6),
        ["depth 33 is not 6n + 2 for a whole n >= 1;"],
    ),
    "exclude that is a mapping": (
        BASE + "exclude: {seed: 1}\n",
        (4, 1),
        ["exclude: {'seed': 1} is not allowed: input"],
    ),
    "exclude that is a text": (
        BASE + "exclude: everything\n",
        (4, 1),
        ["exclude: 'everything' is not allowed: input"],
    ),
    "exclude with a model that is none": (
        BASE + "exclude:\n  - {model: zerosnt}\n",
        (5, 6),
        ["unknown model 'zerosnt'; did you mean"],
    ),
    "noise without a kind": (
        BASE + "evaluations:\n  - {std: 0.1}\n",
        (5, 5),
        ["noise or attack is missing"],
    ),
    "an attack by another name": (
        BASE + "evaluations:\n  - {epsilon: 8/255, attack: fsgm}\n",
        (5, 22),
        ["unknown evaluation 'fsgm'; did you mean 'fgsm'"],
    ),
    "an attack called a noise": (
        BASE + "evaluations:\n  - {noise: fgsm, epsilon: 8/255}\n",
        (5, 6),
        ["unknown key 'noise' (allowed: attack, epsilon)"],
    ),
    "a noise and an attack": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.1, attack: fgsm}\n",
        (5, 33),
        ["unknown key 'attack' (allowed: noise, seed, std)"],
    ),
    "an unknown noise and an attack of no kind": (
        BASE + "evaluations:\n  - {noise: gausian, attack: 3}\n",
        (5, 22),
        ["attack: 3 is not allowed"],
    ),
    "an attack of no strength": (
        BASE + "evaluations:\n  - {attack: pgd, epsilon: 0}\n",
        (5, 19),
        ["epsilon: 0 is not allowed: input should be"],
    ),
    "an attack in units of bytes": (
        BASE + "evaluations:\n  - {attack: fgsm, epsilon: 8}\n",
        (5, 20),
        ["epsilon: 8 is not allowed: input should be less than or equal to 1"],
    ),
    "restarts that are all the same": (
        BASE
        + "evaluations:\n"
        + "  - {attack: pgd, epsilon: 0.1, random_start: false, restarts: 5}\n",
        (5, 54),
        ["restarts 5 without a random start are all the same"],
    ),
    "noise of no strength": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0}\n",
        (5, 23),
        ["std: 0 is not allowed: input should be"],
    ),
    "noise of negative strength": (
        BASE + "evaluations:\n  - {noise: gaussian, std: -0.1}\n",
        (5, 23),
        ["std: -0.1 is not allowed: input should be"],
    ),
    "noise of infinite strength": (
        BASE + "evaluations:\n  - {noise: gaussian, std: .inf}\n",
        (5, 23),
        ["std: inf is not allowed: input should be"],
    ),
    "noise without width": (
        BASE + "evaluations:\n  - {noise: uniform, low: 0.1, high: 1/10}\n",
        (5, 22),
        ["low (0.1) must be below high (0.1)"],
    ),
    "a shift beyond white": (
        BASE + "evaluations:\n  - {noise: constant, value: 1.01}\n",
        (5, 23),
        ["value: 1.01 is not allowed: input should be"],
    ),
    "a shift given twice": (
        BASE + "evaluations:\n  - {noise: constant, value: 0.1, mu: 0.2}\n",
        (5, 35),
        ["unknown key 'mu' (allowed: noise, value)"],
    ),
    "noise with a seed below zero": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.1, seed: -1}\n",
        (5, 33),
        ["seed: -1 is not allowed: input should be"],
    ),
    "noise with a seed that PyTorch would cut": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.1, seed: 4294967296}\n",
        (5, 33),
        ["seed: 4294967296 is not allowed: input should"],
    ),
    "a list among the evaluations": (
        BASE + "evaluations: [[gaussian, 0.1]]\n",
        (4, 15),
        ["evaluations.0: ['gaussian', 0.1] is not"],
    ),
    "an empty evaluation": (BASE + "evaluations: [{}]\n", (4, 15), ["noise or attack is missing"]),
    "one evaluation written in two ways": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.5}\n  - {noise: gaussian, std: 1/2}\n",
        (6, 5),
        ["evaluation gaussian[0.5] is listed twice;"],
    ),
    "one and a half GPUs": (
        BASE + "resources: {gpus: 1.5}\n",
        (4, 13),
        ["resources.gpus: 1.5 is neither a fraction of one"],
    ),
    "a GPU among thousands": (
        BASE + "resources: {gpus: 0.0001}\n",
        (4, 13),
        ["resources.gpus: 0.0001 is less than the"],
    ),
    "cores in words": (
        BASE + "resources: {cpus: all}\n",
        (4, 13),
        ["resources.cpus: 'all' is not a number or a"],
    ),
    "more cores than any machine": (
        BASE + "resources: {cpus: 5000}\n",
        (4, 13),
        ["resources.cpus: 5000 is not allowed: input"],
    ),
    "memory, which is no resource": (
        BASE + "resources: {memory: 8GB}\n",
        (4, 13),
        ["unknown key 'memory' in resources (allowed:"],
    ),
    "an unknown fault": (
        BASE + "faults:\n  oom: {attempts: 2}\n",
        (5, 3),
        ["unknown key 'oom' in faults (allowed: hung,"],
    ),
    "no attempt at all": (
        BASE + "faults:\n  worker_lost: {attempts: 0}\n",
        (5, 17),
        ["faults.worker_lost.attempts: 0 is not"],
    ),
    "attempts without end": (
        BASE + "faults:\n  worker_lost: {attempts: .inf}\n",
        (5, 17),
        ["faults.worker_lost.attempts: inf is not"],
    ),
    "a fault without its mapping": (
        BASE + "faults:\n  hung: 60\n",
        (5, 3),
        ["faults.hung: 60 is not allowed: input should"],
    ),
    "no time to hang": (
        BASE + "faults:\n  hung: {seconds: 0}\n",
        (5, 10),
        ["faults.hung.seconds: 0 is not allowed: input"],
    ),
    "a wait in words": (
        BASE + "faults:\n  unreachable: {seconds: 1h}\n",
        (5, 17),
        ["faults.unreachable.seconds: '1h' is not"],
    ),
    "faults that are a list": (
        BASE + "faults: [hung]\n",
        (4, 1),
        ["faults: ['hung'] is not allowed: input should"],
    ),
    "a name of 101 letters": (
        BASE + "name: " + "x" * 101 + "\n",
        (4, 1),
        ["is not a name for a sweep"],
    ),
    "a name of 100,000 letters": (
        BASE + "name: " + "x" * 100_000 + "\n",
        (4, 1),
        ["is not a name for a sweep"],
    ),
    "a name that is an absolute path": (
        BASE + "name: /etc/sweep\n",
        (4, 1),
        ["'/etc/sweep' is not a name for a sweep: use letters"],
    ),
    "a name that is a home": (
        BASE + "name: '~'\n",
        (4, 1),
        ["'~' is not a name for a sweep: use letters"],
    ),
    "a name that leads out and in again": (
        BASE + "name: ../home/runs\n",
        (4, 1),
        ["'../home/runs' is not a name for a sweep: use letters"],
    ),
    "a name of two dots": (
        BASE + "name: '..'\n",
        (4, 1),
        ["'..' is not a name for a sweep: use letters"],
    ),
    "a hidden name": (
        BASE + "name: .hidden\n",
        (4, 1),
        ["'.hidden' is not a name for a sweep: use letters"],
    ),
    "a name that looks like an option": (
        BASE + "name: --db\n",
        (4, 1),
        ["'--db' is not a name for a sweep: use letters"],
    ),
    "a name in two lines": (
        BASE + 'name: "a\\nb"\n',
        (4, 1),
        ["'a\\nb' is not a name for a sweep: use letters"],
    ),
    "a name that moves the cursor": (
        BASE + 'name: "\\e[2J"\n',
        (4, 1),
        ["'\\x1b[2J' is not a name for a sweep: use letters"],
    ),
    "a name that reads backwards": (
        BASE + 'name: "\\u202egnp.exe"\n',
        (4, 1),
        ["'\\u202egnp.exe' is not a name for a sweep:"],
    ),
    "a name in Cyrillic": (
        BASE + "name: ключ\n",
        (4, 1),
        ["'ключ' is not a name for a sweep: use letters"],
    ),
    "a name with a space": (
        BASE + "name: my sweep\n",
        (4, 1),
        ["'my sweep' is not a name for a sweep: use letters"],
    ),
    "a name with a percent sign": (
        BASE + "name: '%s%n'\n",
        (4, 1),
        ["'%s%n' is not a name for a sweep: use letters"],
    ),
    "a name that is a list": (
        BASE + "name: [a]\n",
        (4, 1),
        ["name: ['a'] is not allowed: input should be a"],
    ),
    "a description that is a number": (
        BASE + "description: 3\n",
        (4, 1),
        ["description: 3 is not allowed: input should"],
    ),
    "a published table that is a list": (
        BASE + "published: [zerosnet]\n",
        (4, 1),
        ["published: ['zerosnet'] is not allowed: input"],
    ),
    "250,001 bytes": (
        (BASE + "#").ljust(250_001, "x"),
        (4, 249959),
        ["more than the 250,000 bytes that a spec may"],
    ),
    "8,001 values": (
        BASE + "seed: [" + "1, " * 8_001 + "]\n",
        (4, 23981),
        ["more than 8,000 keys and values; split the"],
    ),
    "20,000 values in lines": (
        BASE + "grid:\n  seed:\n" + "  - 1\n" * 20_000,
        (7995, 5),
        ["more than 8,000 keys and values; split the"],
    ),
    "3,900 unknown keys": (
        BASE + "".join(f"key{n}: 1\n" for n in range(3900)),
        (4, 1),
        ["unknown key 'key0' (allowed: compile, dataset, depth"],
    ),
    "a key of 100,000 letters": (
        BASE + "? " + "x" * 100_000 + "\n: 1\n",
        (4, 3),
        ["unknown key 'xxx"],
    ),
    "a value of 200,000 letters": (
        BASE + "precision: " + "x" * 200_000 + "\n",
        (4, 1),
        ["precision: 'xxx"],
    ),
    "a list 45 levels deep in lines": (
        BASE + "seed:\n" + "".join("  " * n + "-\n" for n in range(1, 46)),
        (45, 83),
        ["nested too deeply (more than 40 levels)"],
    ),
    "mappings 10,000 levels deep": (
        BASE + "seed: " + "{a: " * 10_000,
        (4, 164),
        ["nested too deeply (more than 40 levels)"],
    ),
    "questions 10,000 levels deep": (
        BASE + "? " * 10_000 + "\n",
        (4, 83),
        ["nested too deeply (more than 40 levels)"],
    ),
    "40 levels of two aliases each": (
        "a0: &a0 [1]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(40)),
        (12, 1),
        ["more than 8,000 keys and values once its"],
    ),
    "5,000 anchors of one name": (
        BASE + "seed: [" + "&a 1, " * 5_000 + "*b]\n",
        (4, 30008),
        ["not valid YAML"],
    ),
    "a wrong value behind 100,000 points": (
        BASE
        + f"grid:\n  depth: [20, 33]\n  seed: [{THOUSAND}]\n"
        + f"  training.epochs: {list(range(1, 51))}\n",
        (5, 15),
        ["depth 33 is not 6n + 2 for a whole n >= 1;"],
    ),
    "an unused exclude behind 1,000 points": (
        BASE + f"grid:\n  seed: [{THOUSAND}]\nexclude:\n  - {{training.optimizer.lr: 0.7}}\n",
        (7, 5),
        ["{'training.optimizer.lr': 0.7} matches no"],
    ),
    "a wrong point behind 1,000 others": (
        BASE
        + "include:\n"
        + "".join(f"  - {{seed: {n}}}\n" for n in range(1000))
        + "  - {seed: -1}\n",
        (1005, 6),
        ["seed: -1 is not allowed: input should be"],
    ),
    "1,000 evaluations, the last one twice": (
        BASE
        + "evaluations:\n"
        + "".join(f"  - {{noise: gaussian, std: 0.{n:04d}}}\n" for n in range(1, 1001))
        + "  - {noise: gaussian, std: 0.1000}\n",
        (1005, 5),
        ["evaluation gaussian[0.1] is listed twice;"],
    ),
}
"""What is no spec at all, or one not written by mistake, and limits from both sides."""

WRONG = MISTAKES | HOSTILE
