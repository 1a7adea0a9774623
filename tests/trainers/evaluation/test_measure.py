import math

import pytest
import torch
from torch import nn

from trainers.config.evaluations import (
    EVALUATIONS,
    ConstantNoise,
    FastGradientSign,
    GaussianNoise,
    parse_evaluation,
)
from trainers.data import files
from trainers.data.augment import normalize
from trainers.data.datasets import DATASETS, Dataset
from trainers.data.labelled_images import HeldImages
from trainers.data.loading import load
from trainers.errors import DatasetMissingError
from trainers.evaluation.batches import EVALUATION_BATCH
from trainers.evaluation.measure import Measurement, evaluate, evaluate_images, places

CPU = torch.device("cpu")
EXAMPLES = {
    "uniform": {"noise": "uniform", "low": -0.08, "high": 0},
    "gaussian": {"noise": "gaussian", "std": 0.3},
    "constant": {"noise": "constant", "value": 0.3},
    "fgsm": {"attack": "fgsm", "epsilon": "8/255"},
    "pgd": {"attack": "pgd", "epsilon": "8/255", "steps": 2, "restarts": 2},
}


class Threshold(nn.Module):
    """Says 1 for an image whose mean is above `threshold`, else 0; keeps what it was given."""

    def __init__(self, threshold=0.5):
        super().__init__()
        self.threshold = threshold
        self.seen = []

    def forward(self, images):
        self.seen.append(images)
        above = images.mean((1, 2, 3)) - self.threshold
        return torch.stack([-above, above], 1)


class Fixed(nn.Module):
    """The same logits for each image of a batch as large as they are."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images):
        return self.logits


GREYS = [0, 51, 102, 153, 204, 255]  # 0, 0.2, 0.4, 0.6, 0.8, 1


def greys(values=GREYS):
    """Images of one pixel: (N, 1, 1, 1), uint8."""
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1)


def measured(network, images, labels, config=None, mean=(0.0,), std=(1.0,), **options):
    return evaluate(network, images, torch.tensor(labels), mean, std, config, device=CPU, **options)


@pytest.mark.parametrize(
    ("shift", "labels", "accuracy"),
    [
        (None, [0, 0, 0, 1, 1, 1], 100),  # says 000111
        (None, [1, 0, 0, 1, 1, 1], 100 * 5 / 6),
        (0.2, [0, 0, 0, 1, 1, 1], 100 * 5 / 6),  # says 001111
        (0.4, [0, 0, 0, 1, 1, 1], 100 * 4 / 6),  # says 011111
        (-0.2, [0, 0, 0, 1, 1, 1], 100 * 5 / 6),  # says 000011
        (-0.9, [0, 0, 0, 1, 1, 1], 50),  # says 000000
    ],
)
def test_accuracy_matches_a_hand_computation(shift, labels, accuracy):
    config = None if shift is None else ConstantNoise(value=shift)
    assert measured(Threshold(), greys(), labels, config).accuracy == accuracy


def test_loss_matches_a_hand_computation():
    # Logits (0, log 3): the labels have probabilities 1/4 and 3/4.
    network = Fixed([[0.0, math.log(3)], [0.0, math.log(3)]])
    result = measured(network, greys([0, 0]), [0, 1])
    assert result == Measurement(50.0, pytest.approx((math.log(4) + math.log(4 / 3)) / 2))


def test_the_loss_is_the_mean_over_images_not_over_batches():
    count = EVALUATION_BATCH + 1
    result = measured(Threshold(0.0), greys([255] * count), [1] * EVALUATION_BATCH + [0])
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert result.loss == pytest.approx((right * EVALUATION_BATCH + wrong) / count, rel=1e-5)
    assert result.accuracy == 100 * EVALUATION_BATCH / count


class TestTop5:
    def test_it_is_the_share_of_labels_among_the_five_largest_logits(self):
        falling = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
        labels = torch.tensor([0, 4, 5, 6])
        images = HeldImages(greys([0] * 4), labels)
        network = Fixed([falling] * 4)
        result = evaluate_images(network, images, (0.0,), (1.0,), None, device=CPU, top5=True)
        assert (result.accuracy, result.top5_accuracy) == (25.0, 50.0)

    def test_of_equal_logits_the_first_come_first(self):
        # A network that says nothing is right for five classes of seven, as for one of them.
        assert places(torch.zeros(7, 7), torch.arange(7)).tolist() == list(range(7))
        scores = torch.tensor([[1.0, 3.0, 3.0, 0.0], [1.0, 3.0, 3.0, 0.0], [1.0, 3.0, 3.0, 0.0]])
        assert places(scores, torch.tensor([2, 0, 3])).tolist() == [1, 2, 3]

    @pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
    def test_an_image_with_a_logit_that_is_not_finite_is_wrong(self, odd):
        images = HeldImages(greys([0, 0]), torch.tensor([1, 1]))
        network = Fixed([[0.0, 1.0, 0, 0, 0, odd], [0.0, 1.0, 0, 0, 0, 0.0]])
        result = evaluate_images(network, images, (0.0,), (1.0,), None, device=CPU, top5=True)
        assert result.top5_accuracy == 50.0

    def test_it_is_what_topk_says_where_no_logits_are_equal(self):
        scores = torch.randn(500, 30, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(500) % 30
        among = (scores.topk(5).indices == labels[:, None]).any(1)
        assert torch.equal(places(scores, labels) < 5, among)

    def test_it_is_not_measured_unless_it_is_asked_for(self):
        assert measured(Threshold(), greys(), [0] * 6).top5_accuracy is None


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        (0.3, [0.3, 0.5, 0.7, 0.9, 1, 1]),
        (-0.3, [0, 0, 0.1, 0.3, 0.5, 0.7]),
        (1.0, [1.0] * 6),
    ],
)
def test_noise_is_added_and_clipped_before_normalising(shift, expected):
    network = Threshold()
    measured(network, greys(), [0] * 6, ConstantNoise(value=shift), mean=(0.25,), std=(0.5,))
    (seen,) = network.seen
    assert seen.dtype == torch.float32
    assert seen.flatten().tolist() == pytest.approx([(x - 0.25) / 0.5 for x in expected])


def test_noise_beyond_the_pixel_range_is_clipped():
    network = Threshold()
    images = torch.tensor([0, 255], dtype=torch.uint8).repeat(50).view(-1, 1, 1, 1)
    measured(network, images, [0] * 100, GaussianNoise(std=0.5))
    (seen,) = network.seen
    assert seen.min() == 0
    assert seen.max() == 1
    assert ((seen > 0) & (seen < 1)).any()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_non_finite_logit_counts_as_misclassified(bad, place):
    logits = [[0.0, 1.0, 2.0] for _ in range(3)]
    logits[1][place] = bad
    for label in range(3):
        result = measured(Fixed(logits), greys([0, 0, 0]), [2, label, 2])
        assert result.accuracy == 100 * 2 / 3


def test_evaluation_uses_fixed_batches():
    assert EVALUATION_BATCH == 1_000  # another number is other noise, and other results
    network = Threshold()
    count = 2 * EVALUATION_BATCH + 1
    measured(network, greys([128] * count), [1] * count)
    # The network gets them in smaller parts on a CPU, which never cross a batch.
    assert [len(seen) for seen in network.seen] == [125] * 16 + [1]


def test_large_images_pass_the_network_few_at_a_time():
    network = Threshold()
    images = torch.zeros(40, 1, 128, 128, dtype=torch.uint8)
    images[35:] = 255
    result = measured(network, images, [0] * 35 + [1] * 5)
    assert result.accuracy == 100
    assert [len(seen) for seen in network.seen] == [31, 9]


@pytest.mark.parametrize("kind", ["uniform", "gaussian"])
def test_the_first_images_of_a_larger_set_get_the_same_noise(kind):
    config = parse_evaluation(EXAMPLES[kind])
    few, many = Threshold(), Threshold()
    measured(few, greys([128] * EVALUATION_BATCH), [1] * EVALUATION_BATCH, config)
    measured(many, greys([128] * 2 * EVALUATION_BATCH), [1] * 2 * EVALUATION_BATCH, config)
    assert torch.equal(few.seen[0], many.seen[0])
    assert not torch.equal(many.seen[0], many.seen[1])


@pytest.mark.parametrize("kind", EVALUATIONS)
def test_evaluation_neither_uses_nor_changes_global_state(kind):
    config = parse_evaluation(EXAMPLES[kind])
    images = torch.arange(256, dtype=torch.uint8).view(-1, 1, 2, 2)
    kept = images.clone()
    seen = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        network = Threshold()
        measured(network, images, [1] * 64, config)
        assert torch.equal(torch.get_rng_state(), before)
        seen.append(torch.cat(network.seen))
    assert torch.equal(*seen)
    assert torch.equal(images, kept)


def test_evaluation_sets_eval_mode_and_restores_it():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.9), Threshold())
    network[0].eval()  # frozen by its owner
    batch_norm = {name: value.clone() for name, value in network[0].state_dict().items()}
    results = {measured(network, greys(), [0, 0, 0, 1, 1, 1]) for _ in range(5)}
    assert len(results) == 1  # dropout would make each another
    assert results.pop().accuracy == 100
    assert [module.training for module in network] == [False, True, True]
    assert network.training
    for name, value in network[0].state_dict().items():
        assert torch.equal(value, batch_norm[name])
    assert not network[2].seen[0].requires_grad


def test_evaluation_restores_the_mode_after_an_error():
    class Broken(nn.Module):
        def forward(self, images):
            raise RuntimeError("broken")

    network = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        measured(network, greys(), [0] * 6)
    assert network.training


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_evaluation_keeps_the_networks_precision_and_a_float32_loss(precision, dtype):
    class Recording(nn.Linear):
        def forward(self, images):
            scores = super().forward(images.flatten(1))
            dtypes.append(scores.dtype)
            return scores

    dtypes = []
    network = Recording(1, 2)
    result = measured(network, greys(), [0] * 6, precision=precision)
    assert dtypes == [dtype]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        scores = network(greys().float() / 255).float()
    expected = nn.functional.cross_entropy(scores, torch.zeros(6, dtype=torch.int64))
    assert result.loss == pytest.approx(float(expected), rel=1e-6)


def test_an_attack_gets_labels_logits_and_gradients():
    given = (Threshold(0.6), greys(), [0, 0, 0, 1, 1, 1])  # 0.5 before normalisation
    options = {"mean": (0.2,), "std": (0.5,)}
    clean = measured(*given, **options)
    attacked = measured(*given, FastGradientSign(epsilon=0.15), **options)
    assert clean.accuracy == 100
    assert attacked.accuracy == 100 * 4 / 6  # 0.4 and 0.6 cross the threshold


@pytest.mark.parametrize(("count", "labels"), [(0, []), (3, [0, 1]), (2, [[0], [1]])])
def test_images_without_matching_labels_are_refused(count, labels):
    with pytest.raises(ValueError, match=rf"^{count} images (and|cannot)"):
        measured(Threshold(), greys([0] * count), labels)


@pytest.mark.parametrize("kind", EVALUATIONS)
@pytest.mark.parametrize("name", [n for n in DATASETS if isinstance(DATASETS[n], Dataset)])
def test_every_evaluation_works_on_every_dataset(name, kind, tmp_path_factory, monkeypatch):
    def offline(*_args):
        raise OSError("tests download nothing")

    monkeypatch.setattr(files, "_download", offline)
    try:  # one folder for all, so that each dataset is read once
        _, test = load(name, tmp_path_factory.getbasetemp() / "data")
    except DatasetMissingError:
        pytest.skip(f"{name} is not on this machine")
    facts = DATASETS[name]

    class Threes(nn.Module):
        def forward(self, images):
            seen.append(images)
            scores = torch.zeros(len(images), facts.classes)
            scores[:, 3] = images.mean((1, 2, 3)).exp()
            return scores

    seen = []
    images, labels = torch.tensor(test.images[:200]), torch.tensor(test.labels[:200])
    config = parse_evaluation(EXAMPLES[kind])
    results = [
        evaluate(Threes(), images, labels, facts.mean, facts.std, config, device=CPU)
        for _ in range(2)
    ]
    assert results[0] == results[1]
    first, second = torch.cat(seen).chunk(2)
    assert torch.equal(first, second)
    assert results[0].accuracy == 100 * int((labels == 3).sum()) / 200
    for channel, mean, std in zip(first.unbind(1), facts.mean, facts.std, strict=True):
        pixels = channel * std + mean
        assert pixels.min() >= -1e-6
        assert pixels.max() <= 1 + 1e-6
    clean = normalize(images, facts.mean, facts.std)
    assert not torch.allclose(first[-200:], clean)  # what an attack looks at comes first
