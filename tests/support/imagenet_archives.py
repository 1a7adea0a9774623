"""Small archives in the format of ILSVRC2012's: a tar of tars, a flat one, and a devkit."""

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

WORDS = {
    "n01440764": "tench, Tinca tinca",
    "n01443537": "goldfish, Carassius auratus",
    "n01484850": "great white shark, white shark, man-eater",
    "n01491361": "tiger shark, Galeocerdo cuvieri",
    "n01494475": "hammerhead, hammerhead shark",
    "n01496331": "electric ray, crampfish, numbfish, torpedo",
    "n01498041": "stingray",
}
CLASSES = tuple(sorted(WORDS))[:3]
"""Those that `write_all` has images of."""

TRAIN, VAL = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
_COLOURS = ((220, 40, 40), (40, 220, 40), (40, 40, 220))


def image(
    shade: int,
    label: int,
    *,
    size: tuple[int, int] = (40, 30),
    mode: str = "RGB",
    form: str = "JPEG",
) -> bytes:
    """An image file of noise about the colour of its class."""
    rng = np.random.default_rng((shade, label))
    noise = rng.integers(-30, 30, (size[1], size[0], 3))
    pixels = np.clip(np.array(_COLOURS[label % 3]) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def write_train(root: Path, counts: dict[str, int], *, shuffled: int = 0, **how: Any) -> None:
    """An archive of archives; in no order, as the published one has none to rely on."""
    names = list(counts)
    random.Random(shuffled).shuffle(names)
    with tarfile.open(root / TRAIN, "w") as outer:
        for wnid in names:
            inside = io.BytesIO()
            numbers = list(range(counts[wnid]))
            random.Random(shuffled).shuffle(numbers)
            with tarfile.open(fileobj=inside, mode="w") as tar:
                for number in numbers:
                    label = sorted(WORDS).index(wnid)
                    size = (40 + 3 * number, 30 + 2 * number)
                    content = image(number, label, **{"size": size} | how)
                    add(tar, f"{wnid}_{7 * number}.JPEG", content)
            add(outer, f"{wnid}.tar", inside.getvalue())


def write_val(root: Path, wnids: list[str]) -> None:
    """Of image i the class is wnids[i]."""
    with tarfile.open(root / VAL, "w") as tar:
        for number in reversed(range(len(wnids))):
            label = sorted(WORDS).index(wnids[number])
            content = image(100 + number, label, size=(30 + number, 44))
            add(tar, f"ILSVRC2012_val_{number + 1:08d}.JPEG", content)


def write_devkit(root: Path, val_wnids: list[str]) -> None:
    """With the classes in another order than that of their ids, and synsets that are no classes."""
    leaves = sorted(WORDS, reverse=True)
    synsets = [(i + 1, wnid, WORDS[wnid], 0) for i, wnid in enumerate(leaves)]
    synsets.append((1001, "n00001740", "entity", len(leaves)))
    kinds = [
        ("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"),
        ("num_children", "O"), ("children", "O"), ("wordnet_height", "O"),
        ("num_train_images", "O"),
    ]  # fmt: skip
    rows = np.array(
        [
            (float(number), wnid, words, "a thing", float(children), [1.0, 2.0], 0.0, 1300.0)
            for number, wnid, words, children in synsets
        ],
        dtype=kinds,
    )
    meta = io.BytesIO()
    save: Callable[..., None] = savemat  # its types know of no open files
    save(meta, {"synsets": rows[:, None]})
    truth = "".join(f"{leaves.index(wnid) + 1}\n" for wnid in val_wnids)
    with tarfile.open(root / DEVKIT, "w:gz") as tar:
        add(tar, "ILSVRC2012_devkit_t12/readme.txt", b"about")
        add(tar, "ILSVRC2012_devkit_t12/data/meta.mat", meta.getvalue())
        add(
            tar,
            "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
            truth.encode(),
        )


VAL_WNIDS = ["n01484850", "n01440764", "n01443537", "n01440764", "n01484850", "n01443537"]


def write_all(root: Path) -> None:
    """The three archives, with images of three classes: 12 for training and 6 for tests."""
    root.mkdir(parents=True, exist_ok=True)
    write_train(root, {"n01440764": 4, "n01443537": 3, "n01484850": 5})
    write_val(root, VAL_WNIDS)
    write_devkit(root, VAL_WNIDS)


def write_seven_classes(root: Path) -> None:
    """The three archives, with two images of each class for training and two for tests."""
    root.mkdir(parents=True, exist_ok=True)
    write_train(root, dict.fromkeys(WORDS, 2))
    write_val(root, [*WORDS, *WORDS])
    write_devkit(root, [*WORDS, *WORDS])
