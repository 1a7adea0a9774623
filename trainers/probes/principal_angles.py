"""Median principal angles within and between classes.

"Understanding ResNet from a discrete dynamical system perspective", Definition 1: the median over
pairs of feature vectors of arccos(u.v / (|u| |v|)), of one class with i != j, or of two classes.
Without an absolute value, as printed, so angles are from 0 to 180 degrees. The features are taken
"before each down-sampling" (section 4.4) and at the end, from test images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.config.probes import PrincipalAngles
from trainers.probes.subject import Meter, Subject, Value

_ELEMENTS_AT_ONCE = 1 << 22
"""Of features in float64: 32 MB."""


def meter(config: PrincipalAngles, subject: Subject) -> Meter:
    """Measures the angles of a fixed sample: the same images in every run."""
    chosen = sample_by_class(subject, config.images_per_class)
    labels = subject.test.labels.cpu()[chosen].numpy()

    def measure(epoch: int) -> Iterator[Value]:
        with subject.measuring():
            stages = _features(subject, chosen)
        for number, features in enumerate(stages, start=1):
            degrees = angles(features, subject.heartbeat)
            for quantity, value in median_angles(degrees, labels, by_class=config.by_class).items():
                yield Value(quantity, f"stage{number}", value)

    return measure


def sample_by_class(subject: Subject, images_per_class: int) -> Tensor:
    """Indices of `images_per_class` test images of each class, or of all that it has, sorted."""
    order = subject.shuffled_tests("principal angles")
    labels = subject.test.labels.cpu()[order]
    of_class = [order[labels == label][:images_per_class] for label in sorted(set(labels.tolist()))]
    return torch.cat(of_class).sort().values


def stage_ends(sizes: list[tuple[int, ...]]) -> list[int]:
    """Which states are the last before a down-sampling, and the last of all.

    Args:
        sizes: height and width of each state, the stem's first.
    """
    ends = [index for index, (size, after) in enumerate(pairwise(sizes)) if size != after]
    return [*ends, len(sizes) - 1]


def _features(subject: Subject, chosen: Tensor) -> list[Tensor]:
    """For each stage (K, C * H * W): the states at its end, of the chosen images."""
    (one,) = subject.states(chosen[:1])
    ends = set(stage_ends([tuple(state.shape[2:]) for state in one]))
    batches = [
        [state.flatten(1) for index, state in enumerate(states) if index in ends]
        for states in subject.states(chosen)
    ]
    return [torch.cat(parts) for parts in zip(*batches, strict=True)]


def angles(features: Tensor, heartbeat: Callable[[], None]) -> NDArray[np.float64]:
    """(K, K), degrees: between each two rows of (K, M); nan where a row is zero or not finite."""
    count = len(features)
    # In float64: near an angle of 0 its cosine says little.
    products = torch.zeros(count, count, dtype=torch.float64, device=features.device)
    largest = features.abs().amax(dim=1, keepdim=True).double()
    for part in torch.split(features, max(1, _ELEMENTS_AT_ONCE // count), dim=1):
        heartbeat()
        # Scaled, since squares of large features would overflow.
        scaled = part.double() / largest
        products += scaled @ scaled.T
    lengths = products.diagonal().sqrt()
    cosines = (products / lengths[:, None] / lengths).clamp(-1, 1)
    degrees: NDArray[np.float64] = cosines.arccos().rad2deg().cpu().numpy()
    return degrees


def median_angles(
    degrees: NDArray[np.float64], labels: NDArray[np.int64], *, by_class: bool
) -> dict[str, float]:
    """Medians over pairs of images by quantity; nan where any of the pairs has no angle.

    Args:
        degrees: (K, K), symmetric.
        labels: (K,).
    """
    first, second = np.triu_indices(len(labels), k=1)
    angle, left, right = degrees[first, second], labels[first], labels[second]
    medians = {"within": _median(angle[left == right]), "between": _median(angle[left != right])}
    if by_class:
        classes = np.unique(labels)
        of = {c: np.flatnonzero(labels == c) for c in classes}
        for c in classes:
            inside = degrees[np.ix_(of[c], of[c])][np.triu_indices(len(of[c]), k=1)]
            medians[f"within[{c}]"] = _median(inside)
        for position, c in enumerate(classes):
            for d in classes[position + 1 :]:
                medians[f"between[{c},{d}]"] = _median(degrees[np.ix_(of[c], of[d])])
    return medians


def _median(values: NDArray[np.float64]) -> float:
    """nan if there are none, as for a class with one image."""
    return float(np.median(values)) if values.size else float("nan")
