"""The recipe as people write it: PIL images, a DataLoader, eager fp32, torch's own SGD."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gpu.images import BATCH_SIZE, Batch
from trainers.config.optimizers import SgdConfig
from trainers.config.run import RunConfig
from trainers.training.building import build_network


class Pictures(Dataset[Any]):
    """PIL images, augmented one by one."""

    def __init__(self, pictures: Sequence[Any], labels: Sequence[int], augment: Any) -> None:
        self._pictures = pictures
        self._labels = labels
        self._augment = augment

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._augment(self._pictures[index]), self._labels[index]


def pictures_of(images: Batch, config: RunConfig) -> Pictures:
    """The images in PIL's form, with torchvision's transforms of the recipe."""
    from torchvision import transforms  # which imports torch's compiler, too

    facts, dataset = config.dataset_facts, config.dataset
    pixels, labels = images
    augment = transforms.Compose(
        [
            transforms.RandomCrop(facts.size, padding=dataset.crop_padding),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(facts.mean, facts.std),
        ]
    )
    to_picture = transforms.ToPILImage()
    return Pictures([to_picture(image) for image in pixels], labels.tolist(), augment)


class Baseline:
    """A plain training loop. Its loader's processes outlive epochs, which not all people ask for.

    Args:
        workers: processes that augment.
    """

    def __init__(
        self, config: RunConfig, pictures: Pictures, device: torch.device, workers: int
    ) -> None:
        self._device = device
        self._loader = DataLoader(
            pictures,
            batch_size=BATCH_SIZE,
            shuffle=True,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            drop_last=True,
            persistent_workers=workers > 0,
        )
        # Batches that are ready before the clock starts would count as if made in its time.
        self.warm_up = 2 * workers + 3
        network = build_network(config, str(device))
        # Not channels last: as torch makes it by default.
        self._network = network.to(memory_format=torch.contiguous_format).train()
        recipe = config.training.optimizer
        assert isinstance(recipe, SgdConfig)
        self._optimizer = torch.optim.SGD(
            self._network.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
        )
        self._criterion = torch.nn.CrossEntropyLoss()
        self._batches = self._epochs()

    def step(self) -> int:
        """Train one batch; how many images it had."""
        images, labels = next(self._batches)
        images = images.to(self._device, non_blocking=True)
        labels = labels.to(self._device, non_blocking=True)
        self._optimizer.zero_grad()
        loss = self._criterion(self._network(images), labels)
        loss.backward()
        self._optimizer.step()
        return len(labels)

    def close(self) -> None:
        """End the loader's processes, and its thread, which would disturb a capture."""
        self._batches = iter(())
        del self._loader

    def _epochs(self) -> Iterator[Batch]:
        loader = self._loader
        while True:
            yield from loader


@contextmanager
def torch_as_it_starts() -> Iterator[None]:
    """Algorithms need not be deterministic, and cuDNN tries which is the fastest, as the training
    scripts that people start from have it.
    """
    mode: int = torch.get_deterministic_debug_mode()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_deterministic_debug_mode("default")
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = benchmark
