"""Learning rates against torch's own schedulers, closed forms, and what holds for all of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.optim import lr_scheduler

from trainers.config.schedules import SCHEDULES
from trainers.config.training import TrainingConfig

LR = 0.2
few = settings(max_examples=25, deadline=None)


def recipe(schedule: Any, epochs: int = 12, **more: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {"epochs": epochs, "optimizer": {"lr": LR}, "lr_schedule": schedule, **more}
    )


def by_epoch(training: TrainingConfig, validations: Sequence[float] = ()) -> list[float]:
    return [
        training.learning_rate(epoch, validations=validations[: epoch - 1])
        for epoch in range(1, training.epochs + 1)
    ]


def by_step(training: TrainingConfig, steps: int) -> list[float]:
    return [
        training.learning_rate(epoch, step, steps)
        for epoch in range(1, training.epochs + 1)
        for step in range(steps)
    ]


def of_torch(make: Any, count: int, measured: Sequence[float] | None = None) -> list[float]:
    """The rates at which torch's scheduler trains."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an older way to call what it calls itself
        scheduler = make(optimizer)
        found = []
        for index in range(count):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if measured is None:
                scheduler.step()
            else:
                scheduler.step(measured[index])
    return found


def assert_same(ours: list[float], theirs: list[float]) -> None:
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@few
@given(
    epochs=st.integers(1, 30),
    steps=st.integers(1, 5),
    min_lr=st.sampled_from([0, 0.01]),
    power=st.sampled_from([0.5, 1, 2]),
)
def test_falling_rates_are_torchs(epochs: int, steps: int, min_lr: float, power: float) -> None:
    total = epochs * steps
    for ours, theirs in (
        (
            {"name": "cosine", "min_lr": min_lr},
            lambda o: lr_scheduler.CosineAnnealingLR(o, total, eta_min=min_lr),
        ),
        (
            {"name": "linear", "min_lr": min_lr},
            lambda o: lr_scheduler.LinearLR(o, 1, min_lr / LR, total_iters=total),
        ),
        (
            {"name": "polynomial", "power": power},
            lambda o: lr_scheduler.PolynomialLR(o, total_iters=total, power=power),
        ),
    ):
        found = by_step(recipe({**ours, "by": "step"}, epochs), steps)
        assert_same(found, of_torch(theirs, total))
        assert by_epoch(recipe(ours, total)) == pytest.approx(found)


@few
@given(milestones=st.lists(st.integers(1, 20), unique=True, max_size=4).map(sorted))
def test_step_decay_is_torchs(milestones: list[int]) -> None:
    ours = recipe({"name": "step", "milestones": milestones, "gamma": 0.5}, 15)
    theirs = of_torch(lambda o: lr_scheduler.MultiStepLR(o, milestones, gamma=0.5), 15)
    assert_same(by_epoch(ours), theirs)
    assert_same(by_step(ours, 3), [rate for rate in theirs for _ in range(3)])


@few
@given(
    total=st.integers(4, 40),
    pct_start=st.sampled_from([0.1, 0.3, 0.45]),
    anneal_strategy=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
    div_factor=st.sampled_from([1, 25]),
)
def test_one_cycle_is_torchs(total: int, **options: Any) -> None:
    if options["pct_start"] * total <= 1:
        return  # torch divides by zero, or begins in the middle of a phase
    ours = recipe({"name": "one_cycle", "final_div_factor": 100, **options}, total)
    theirs = of_torch(
        lambda o: lr_scheduler.OneCycleLR(
            o, LR, total, cycle_momentum=False, final_div_factor=100, **options
        ),
        total,
    )
    assert_same(by_epoch(ours), theirs)


@few
@given(
    losses=st.lists(st.sampled_from([1.0, 0.9, 0.8, 0.5, math.nan, math.inf]), min_size=3),
    metric=st.sampled_from(["loss", "accuracy"]),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 2),
    min_lr=st.sampled_from([0, 0.03]),
    threshold=st.sampled_from([0, 1e-4, 0.1]),
)
def test_a_plateau_is_found_as_torch_finds_it(
    losses: list[float], metric: str, min_lr: float, **options: Any
) -> None:
    if metric == "accuracy":
        losses = [loss for loss in losses if math.isfinite(loss)]
    schedule = {"name": "plateau", "factor": 0.5, "metric": metric, "min_lr": min_lr, **options}
    theirs = of_torch(
        lambda o: lr_scheduler.ReduceLROnPlateau(
            o, "min" if metric == "loss" else "max", factor=0.5, min_lr=min_lr, eps=0, **options
        ),
        len(losses),
        losses,
    )
    if losses:
        assert_same(by_epoch(recipe(schedule, len(losses)), losses), theirs)


@few
@given(
    epochs=st.integers(3, 12),
    warmup=st.integers(1, 2),
    steps=st.integers(1, 4),
    start=st.sampled_from([0.1, 1 / 3, 1]),
)
def test_a_warm_up_before_a_cosine_is_torchs(
    epochs: int, warmup: int, steps: int, start: float
) -> None:
    iterations, total = warmup * steps, epochs * steps

    def both(o: Any) -> Any:
        rise = lr_scheduler.LinearLR(o, start, total_iters=iterations)
        fall = lr_scheduler.CosineAnnealingLR(o, total - iterations)
        return lr_scheduler.SequentialLR(o, [rise, fall], [iterations])

    expected = of_torch(both, total)
    given_by = {"name": "cosine", "by": "step", "warmup_start": start}
    assert_same(by_step(recipe({**given_by, "warmup_epochs": warmup}, epochs), steps), expected)
    assert_same(by_step(recipe({**given_by, "warmup_steps": iterations}, epochs), steps), expected)
    of_epochs = {"name": "cosine", "warmup_start": start, "warmup_epochs": warmup * steps}
    assert_same(by_epoch(recipe(of_epochs, total)), expected)


schedules = st.fixed_dictionaries(
    {"name": st.sampled_from([name for name in SCHEDULES if name != "plateau"])},
    optional={
        "by": st.sampled_from(["epoch", "step"]),
        "warmup_epochs": st.integers(0, 4),
        "warmup_start": st.sampled_from([0, 0.1, "1/5", 1]),
    },
)


@settings(max_examples=60, deadline=None)
@given(schedules, st.integers(9, 20), st.integers(1, 7))
def test_every_rate_is_between_nothing_and_lr_and_warm_ups_are_straight_lines(
    schedule: dict[str, Any], epochs: int, steps: int
) -> None:
    training = recipe(schedule, epochs)
    rates = by_step(training, steps)
    assert all(0 <= rate <= LR * (1 + 1e-12) for rate in rates)
    resolved = training.lr_schedule
    if resolved.by is None:
        assert rates == [rate for rate in by_epoch(training) for _ in range(steps)]
        rates = by_epoch(training)
        steps = 1
    warmup = (resolved.warmup_epochs or 0) * steps
    if warmup:
        start = resolved.warmup_start
        assert start is not None
        # The rate with which the schedule begins, a step of the rise further on.
        top = training.lr_schedule.rate(LR, _moment(warmup, epochs * steps, steps))
        expected = [top * (start + (1 - start) * step / warmup) for step in range(warmup)]
        assert rates[: warmup + 1] == pytest.approx([*expected, top])
    falling = rates[warmup:]
    if schedule["name"] != "one_cycle":
        assert falling == sorted(falling, reverse=True)


def _moment(done: int, total: int, per_epoch: int) -> Any:
    from trainers.config.schedules.base import Moment

    return Moment(done, done, total, per_epoch)


def test_the_recipe_of_zerosnet_for_imagenet_can_be_said() -> None:
    """Per iteration, as its released code has it: epochs e from 0, iterations i from 1 to N."""
    schedule = {
        "name": "cosine", "by": "step", "rate_at": "end", "warmup_epochs": 5, "warmup_start": 0,
    }  # fmt: skip
    epochs, steps = 150, 7
    rates = iter(by_step(recipe(schedule, epochs), steps))
    for e in range(epochs):
        for i in range(1, steps + 1):
            rise = LR * (e + i / steps) / 5
            fall = LR * (1 + math.cos(math.pi * (e - 5 + i / steps) / (epochs - 5))) / 2
            assert next(rates) == pytest.approx(rise if e < 5 else fall, abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(schedules, st.integers(9, 20), st.integers(1, 7))
def test_the_rate_at_the_end_is_that_with_which_the_next_step_would_begin(
    schedule: dict[str, Any], epochs: int, steps: int
) -> None:
    begun, ended = recipe(schedule, epochs), recipe({**schedule, "rate_at": "end"}, epochs)
    resolved = ended.lr_schedule
    rates, later = by_step(begun, steps), by_step(ended, steps)
    each = steps if resolved.by is None else 1
    if resolved.rate_at is None:
        assert resolved == begun.lr_schedule
        assert later == rates
    elif resolved.changes_by_step:
        assert later[:-each] == pytest.approx(rates[each:], abs=1e-15)
    else:
        warmup = (resolved.warmup_epochs or 0) * steps
        assert later[: warmup - each] == pytest.approx(rates[each:warmup])
        # Milestones stay where they are.
        assert later[warmup - each :] == rates[warmup : warmup + each] + rates[warmup:]


def test_the_recipe_of_newton_resnet_for_imagenet_can_be_said() -> None:
    """Divided by 10 at epochs 30, 60 and 80 of 90, which the warm-up does not shift."""
    schedule = {"milestones": [30, 60, 80], "warmup_epochs": 5, "by": "step"}
    rates = by_step(recipe(schedule, 90), 3)
    assert rates[15:90] == pytest.approx([LR] * 75)
    assert rates[90:180] == pytest.approx([LR / 10] * 90)
    assert rates[240:] == pytest.approx([LR / 1000] * 30)
    assert rates[0] == pytest.approx(LR / 10)


def test_epochs_of_the_warm_up_are_no_plateau() -> None:
    schedule = {"name": "plateau", "patience": 0, "warmup_epochs": 2, "warmup_start": 0.5}
    training = recipe(schedule, 6)
    rates = by_epoch(training, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert rates == pytest.approx([LR / 2, LR * 3 / 4, LR, LR, LR / 10, LR / 100])


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ({"warmup_epochs": 12}, "warmup_epochs 12 leaves nothing of 12 epochs"),
        ({"warmup_epochs": 7}, "milestone 6 is inside the warm-up of 7 epochs"),
        ({"warmup_steps": 7}, "warmup_steps needs by: step"),
        ({"by": "step", "warmup_steps": 7, "warmup_epochs": 1}, "keep one"),
        ({"name": "cosine", "min_lr": 0.3}, "min_lr 0.3 is above the optimizer's lr, 0.2"),
        ({"name": "one_cycle", "three_phase": True, "pct_start": 0.5}, "leaves no third phase"),
        ({"name": "cosine", "gamma": 0.1}, "gamma\n"),
        ({"name": "cosine", "rate_at": "middle"}, "Input should be 'begin' or 'end'"),
        ("cosin", "unknown schedule 'cosin'; did you mean 'cosine'"),
    ],
    ids=str,
)
def test_schedules_that_do_not_fit_are_refused(schedule: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        recipe(schedule)


def test_a_rate_for_so_many_images_a_step_is_in_proportion_to_those_that_a_step_has() -> None:
    def lr(given: Any, batch: int, **more: Any) -> float:
        training = recipe(
            {}, batch_size=batch, lr_batch=256, **{"optimizer": {"lr": given}, **more}
        )
        assert training.lr_batch is None
        return training.optimizer.lr

    # ZeroSNet's batches and rates, eight processes each; Newton-ResNet's on four.
    assert [lr(0.05, batch, data_parallel=8) for batch in (32, 64, 128)] == [0.05, 0.1, 0.2]
    assert lr(0.1, 256, data_parallel=4) == 0.4
    assert lr("1/10", 96) == 0.0375
    assert lr(0.1, 64, accumulation=12) == 0.3  # and not 0.1 * 3, which is another float
    assert lr(None, 128, optimizer={"name": "adamw", "lr": 1e-3}) == 5e-4


def test_a_rate_in_proportion_to_the_batch_has_one_name() -> None:
    said = recipe("cosine", batch_size=64, lr_batch=256, optimizer={"lr": 0.2})
    assert said == recipe("cosine", batch_size=64, optimizer={"lr": 0.05})
    assert TrainingConfig.model_validate(said.model_dump(mode="json")) == said


def test_a_batch_for_a_rate_is_refused_without_the_rate() -> None:
    with pytest.raises(ValidationError, match="is what lr is for, and there is none: add opt"):
        recipe({}, lr_batch=256, optimizer="adamw")


@pytest.mark.parametrize(
    ("lr", "lr_batch", "complaint"),
    [
        (3e38, 1, r"lr 3e\+38 for lr_batch 1 is 6e\+38 for steps of 2: a rate is above 0, and"),
        (1e-320, 2**31, "lr_batch 2147483648 is 0 for steps of 2"),
        (0.1, 0, "greater than or equal to 1"),
    ],
)
def test_rates_in_proportion_stay_within_bounds(lr: float, lr_batch: int, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        recipe({}, batch_size=2, lr_batch=lr_batch, optimizer={"lr": lr})
