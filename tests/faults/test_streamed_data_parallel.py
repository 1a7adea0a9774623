"""Two processes on two nodes train one network on streamed images, and are killed on the way."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import drivers
from drivers import Driver
from figures import Figure, Times
from killed_gangs import FAULTS, Killed, victims, wait_until_nothing_is_left
from killed_raylets import ray_nodes
from trainers.data.loading import Split
from trainers.data.readers import digits

pytestmark = [pytest.mark.ray, pytest.mark.timeout(3600)]

IMAGES = {"train": 240, "test": 60}

SPEC = """
name: survivor
model: {{name: zerosnet, body: imagenet, depth: 18, width: 8}}
scheme: {{lambda: -9/5}}
dataset:
  name: image_folder
  folder: digits_as_files
  size: 32
  classes: 10
  in_memory: false
  crop: {{area: [0.5, 1]}}
training: {{epochs: {epochs}, batch_size: 30, data_parallel: 2, sync_batch_norm: {synchronised}}}
seed: 7
resources: {{cpus: {cpus}, nodes: 2}}
faults: {{worker_lost: {{attempts: 100}}}}
"""


def write_digits(root: Path) -> None:
    """As PNG files, in train/ and test/ with a folder for each class."""
    for (part, count), split in zip(IMAGES.items(), digits(root), strict=True):
        assert isinstance(split, Split)
        for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            if number == count:
                break
            path = root / part / str(label) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0]).save(path)


def test_a_run_of_two_nodes_has_the_same_bits_whoever_is_killed(
    tmp_path: Path, times: Times, chance: random.Random, figure: Figure
) -> None:
    epochs, kills = times(8, 16), times(2, 10)
    # With a second thread a process has others that decode for it.
    cpus = times(1, 2)
    spec = tmp_path / "survivor.yaml"
    spec.write_text(SPEC.format(epochs=epochs, cpus=cpus, synchronised=cpus > 1))

    def start(home: Path) -> Driver:
        return Driver(spec, home, executor="ray", more=["--ray-address", nodes.address])

    with ray_nodes(1, cpus) as nodes:
        calm = tmp_path / "calm"
        write_digits(calm / "data" / "digits_as_files")
        undisturbed = Killed(partial(start, calm), nodes, calm)
        undisturbed.survive([], lambda: 0.0, seconds=600)
        wait_until_nothing_is_left(undisturbed, nodes)
        expected = drivers.facts(drivers.database_of(calm))

        home = tmp_path / "home"
        write_digits(home / "data" / "digits_as_files")
        killed = Killed(partial(start, home), nodes, home)
        # After them a run is over before it can be killed.
        after = sorted(chance.sample(range(epochs - 4), kills))
        who = victims(kills, chance)
        killed.survive(
            list(zip(after, who, strict=True)), lambda: chance.uniform(0, 0.2), seconds=600
        )
        wait_until_nothing_is_left(killed, nodes)

    db = drivers.database_of(home)
    found = drivers.facts(db)
    ((run_id, tried),) = drivers.attempts_in_full(db).items()
    lost = [attempt for attempt in tried if attempt["state"] == "lost"]
    figure(
        "two nodes of one run killed",
        database="sqlite",
        trainer="ZeroSNet-18, streamed",
        done=sum(found.get(run_id) == facts for run_id, facts in expected.items()),
        of=1,
        kills=kills,
        attempts_lost=len(lost),
        processes_left=len(killed.left()),
    )
    drivers.assert_same(found, expected)
    drivers.assert_trained_once(db, {})
    assert len(expected[run_id]["epoch_history"]) == epochs
    assert Counter(attempt["fault"] for attempt in lost) == Counter(FAULTS[each] for each in who)
    said = [attempt["error"] for attempt in lost]
    for victim, error in zip(who, said, strict=True):
        if victim.startswith("rank"):
            assert f"{victim} of 2: " in error, said
