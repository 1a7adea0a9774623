from __future__ import annotations

import pytest

from results.analysis.varied_keys import Setting, stored_settings, varied_keys
from results.queries.queries import Queries
from results.store.store import Store
from stored_rows import replace_rows


def setting(model="zerosnet", dataset="digits", lr=0.1, epochs=6, width=None, **others):
    options = {} if width is None else {"width": width}
    return Setting(
        model,
        dataset,
        {
            "model": {"name": model, "depth": 32, **options},
            "dataset": {"name": dataset, "crop_padding": 4 if dataset == "cifar10" else 1},
            "training": {
                "epochs": epochs,
                "optimizer": {"lr": lr},
                "lr_schedule": {"milestones": [epochs // 2]},
            },
            "precision": "fp32",
            "seed": 1,
            "scheme": {"alpha": [lr]},
            **others,
        },
    )


def own(trainer="fit:train", source="1", **options):
    return Setting(None, None, {"trainer": trainer, "source": source, "options": options})


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ([], []),
        ([setting()], []),
        ([setting(seed=1), setting(seed=2), setting(scheme={"alpha": [2]})], []),
        ([setting(lr=lr) for lr in (0.3, 0.1 + 0.2)], ["training.optimizer.lr"]),
        ([setting(lr=1), setting(lr=1.0)], []),
        ([setting(), setting(compile=True)], ["compile"]),
        ([setting(), setting(precision="bf16")], ["precision"]),
        # Milestones that follow from the epochs, and a dataset's own crops, are not said again.
        ([setting(epochs=6), setting(epochs=12)], ["epochs"]),
        ([setting(), setting(dataset="cifar10")], ["dataset"]),
        # A model's options are compared among runs of that model.
        ([setting(width=16), setting(model="resnet", width=64)], []),
        ([setting(width=16), setting(width=32), setting(model="x")], ["model.width"]),
        (
            [setting(lr=lr, dataset=d) for lr in (1, 2) for d in ("cifar10", "digits")],
            ["dataset", "training.optimizer.lr"],
        ),
        # Options all are keys; one that other trainers lack only where it differs.
        ([own(lr=1, s=1), own(lr=2, s=2)], ["options.lr", "options.s"]),
        ([own(lr=1), own(lr=1, s=2)], ["options.s"]),
        ([own(lr=1, s=1), own("b:train", "2", lr=1, t=1)], ["trainer"]),
        ([own(lr=1, s=1), own("b:train", "2", lr=2)], ["trainer", "options.lr"]),
        ([own(lr=1), own(lr=1, source="2")], ["source"]),
        ([setting(probes=[{"name": "a"}]), setting(probes=[{"name": "b"}])], ["probes"]),
    ],
)
def test_varied_keys_are_what_runs_differ_in_beyond_scheme_and_seed(settings, keys):
    assert varied_keys(settings) == keys


def test_settings_are_read_once_each_of_the_runs_that_may_pass_the_filters(url, plain, make):
    Store.open(url).close()
    rows = [
        make.row(
            number,
            state="queued" if number == 4 else "done",
            test_accuracy=None if number == 4 else 10.0 * number,
            sweep="a" if number < 4 else "b",
            config=setting(lr=0.1 * (number // 2), seed=number, scheme={"alpha": [number]}).config,
        )
        for number in range(1, 6)
    ]
    replace_rows(plain, rows)

    def rates(*sweeps, where=()):
        with Queries.open(url) as queries:
            found = stored_settings(queries, sweeps, where)
        assert all(one.config.keys().isdisjoint({"seed", "scheme"}) for one in found)
        return sorted(one.config["training"]["optimizer"]["lr"] for one in found)

    assert rates() == [0.0, 0.1, 0.2]
    assert rates("b") == [0.2]
    assert rates(where=["training.optimizer.lr>0"]) == [0.1, 0.2]
    assert rates(where=["test_accuracy<15"]) == [0.0, 0.2]
