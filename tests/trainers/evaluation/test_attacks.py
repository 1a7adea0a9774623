import math
from pathlib import Path

import pytest
import torch
from torch import nn

from trainers.config.evaluations import FastGradientSign, ProjectedGradientDescent, parse_evaluation
from trainers.data.loading import load
from trainers.evaluation import attacks
from trainers.evaluation.batches import EVALUATION_BATCH
from trainers.evaluation.measure import evaluate
from trainers.run import evaluate_stored, run
from trainers.storage import open_folder

CPU = torch.device("cpu")
NO_DATA = Path("/no/data/is/needed")
LABELS = torch.arange(40) % 3
PIXELS = torch.rand((40, 1, 4, 4), generator=torch.Generator().manual_seed(0))


class Linear(nn.Module):
    """Logits (-s, s), where s is the weighted sum of the pixels less a threshold."""

    def __init__(self, weights, threshold):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))
        self.threshold = threshold

    def forward(self, images):
        score = images.flatten(1) @ self.weights - self.threshold
        return torch.stack([-score, score], 1)


def small_network(seed=0):
    """Not linear, with a hidden layer, batch normalisation and three classes."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Tanh(), nn.Flatten(), nn.Linear(24, 3)
    ).eval()


def perturbed(config, network, pixels=PIXELS, labels=LABELS):
    function = attacks.fgsm if config.kind == "fgsm" else attacks.pgd
    with torch.no_grad():
        return function(config)(pixels, labels, network)


def loss_of(network, pixels, labels=LABELS):
    with torch.no_grad():
        return nn.functional.cross_entropy(network(pixels), labels, reduction="none")


class TestLinear:
    """A linear network's worst change is known: epsilon sign(w), away from the label."""

    # One pixel each; below 0.5 is class 0.
    GREYS = torch.tensor([0, 51, 102, 153, 204, 255], dtype=torch.uint8).view(-1, 1, 1, 1)
    TRUTH = torch.tensor([0, 0, 0, 1, 1, 1])

    @pytest.mark.parametrize("attack", ["fgsm", "pgd"])
    @pytest.mark.parametrize(
        ("epsilon", "right"), [(0.05, 6), (0.15, 4), (0.25, 4), (0.35, 2), (0.45, 2), (0.6, 0)]
    )
    def test_accuracy_under_attack_of_a_linear_network_follows_from_its_margins(
        self, attack, epsilon, right
    ):
        # Distances to the threshold: 0.5, 0.3, 0.1, 0.1, 0.3, 0.5.
        config = parse_evaluation({"attack": attack, "epsilon": epsilon})
        network = Linear([1.0], 0.5)
        result = evaluate(network, self.GREYS, self.TRUTH, (0.0,), (1.0,), config, device=CPU)
        assert result.accuracy == pytest.approx(100 * right / 6)

    def test_normalisation_does_not_change_an_attack(self):
        config = FastGradientSign(epsilon=0.15)
        # The same function of the pixels: (x - 0.2) / 0.5 is 0.6 where x is 0.5.
        network = Linear([1.0], 0.6)
        result = evaluate(network, self.GREYS, self.TRUTH, (0.2,), (0.5,), config, device=CPU)
        assert result.accuracy == pytest.approx(100 * 4 / 6)

    @pytest.mark.parametrize("config", [
        FastGradientSign(epsilon=0.1), ProjectedGradientDescent(epsilon=0.1)
    ])  # fmt: skip
    def test_the_perturbation_of_a_linear_network_is_epsilon_times_the_weight_signs(self, config):
        weights = [1.0, -2.0, 0.5, 0.0]
        pixels = torch.full((2, 1, 2, 2), 0.5)
        moved = perturbed(config, Linear(weights, 0.1), pixels, torch.tensor([0, 1])) - pixels
        signs = torch.tensor([1.0, -1.0, 1.0])
        # Towards the other class. What decides nothing stays where it was, or started.
        assert torch.allclose(moved[0].flatten()[:3], 0.1 * signs, atol=1e-6)
        assert torch.allclose(moved[1].flatten()[:3], -0.1 * signs, atol=1e-6)
        if config.kind == "fgsm":
            assert (moved.flatten(1)[:, 3] == 0).all()

    def test_the_loss_is_that_of_the_perturbed_image(self):
        config = FastGradientSign(epsilon=0.25)
        image, label = torch.tensor([[[[255]]]], dtype=torch.uint8), torch.tensor([1])
        result = evaluate(Linear([1.0], 0.5), image, label, (0.0,), (1.0,), config, device=CPU)
        # Pixel 0.75, score 0.25: logits -0.25 and 0.25.
        assert result.loss == pytest.approx(math.log(1 + math.exp(-0.5)), rel=1e-5)


@pytest.mark.parametrize("epsilon", [1e-3, 8 / 255, 0.3, 1])
@pytest.mark.parametrize("more", [{}, {"restarts": 3}, {"random_start": False}, {"step": 1}])
def test_pgd_stays_in_the_epsilon_ball_and_the_pixel_range(epsilon, more):
    pixels = PIXELS.clone()
    pixels[0], pixels[1] = 0, 1
    kept = pixels.clone()
    config = ProjectedGradientDescent(epsilon=epsilon, steps=5, **more)
    found = perturbed(config, small_network(), pixels)
    assert (found - pixels).abs().max() <= epsilon + 1e-7
    assert found.min() >= 0
    assert found.max() <= 1
    assert not torch.equal(found, pixels)
    assert torch.equal(pixels, kept)


def test_one_step_of_pgd_from_the_image_is_fgsm():
    for epsilon in (8 / 255, 0.3):
        one = ProjectedGradientDescent(epsilon=epsilon, step=epsilon, steps=1, random_start=False)
        fast = perturbed(FastGradientSign(epsilon=epsilon), small_network()).clamp(0, 1)
        assert torch.equal(perturbed(one, small_network()), fast)


def test_pgd_is_projected_gradient_ascent_step_by_step():
    """Against a straightforward computation, one image at a time, in float64."""
    network = small_network().double()
    config = ProjectedGradientDescent(epsilon=0.2, step=0.07, steps=6)
    drawn = torch.rand(PIXELS.shape, generator=torch.Generator().manual_seed(1)).double()
    expected = []
    for image, start, label in zip(PIXELS.double(), drawn, LABELS, strict=True):
        low, high = (image - 0.2).clamp(min=0), (image + 0.2).clamp(max=1)
        point = (image + 0.4 * start - 0.2).clamp(low, high)
        for _ in range(6):
            point = point.clone().requires_grad_()
            loss = nn.functional.cross_entropy(network(point[None]), label[None])
            (gradient,) = torch.autograd.grad(loss, point)
            point = (point + 0.07 * gradient.sign()).clamp(low, high).detach()
        expected.append(point)
    found = perturbed(config, network, PIXELS.double())
    assert torch.allclose(found, torch.stack(expected), atol=1e-6)


def test_an_attack_raises_the_loss():
    network = small_network()
    clean = loss_of(network, PIXELS)
    fast = loss_of(network, perturbed(FastGradientSign(epsilon=0.1), network))
    slow = loss_of(network, perturbed(ProjectedGradientDescent(epsilon=0.1), network))
    assert (fast > clean).float().mean() > 0.95
    assert (slow > clean).all()


class TestRestarts:
    def test_pgd_keeps_the_worst_restart_of_each_image(self):
        """Of many hills, the highest that four climbs reach; none is as high as the label."""

        def network(images):
            hills = (images * 23).sin().sum((1, 2, 3))
            return torch.stack([torch.zeros_like(hills) + 17, hills, hills - 1], 1)

        labels = torch.zeros(40, dtype=torch.int64)
        several = ProjectedGradientDescent(epsilon=0.3, steps=4, restarts=4)
        worst = loss_of(network, perturbed(several, network, PIXELS, labels), labels)
        one = ProjectedGradientDescent(epsilon=0.3, steps=4)
        attack = attacks.pgd(one)  # called again, it goes on drawing
        with torch.no_grad():
            each = [loss_of(network, attack(PIXELS, labels, network), labels) for _ in range(4)]
        assert torch.equal(worst, torch.stack(each).amax(0))
        assert not torch.equal(worst, each[0])

    def test_a_misclassifying_restart_beats_one_with_larger_loss(self):
        """Where the loss is largest, the label still wins."""

        def network(images):
            x = images.flatten(1).mean(1)
            label = torch.zeros_like(x)
            # Above a half, two rivals a little below the label; below it, one a little above.
            rivals = torch.where(x > 0.5, -0.01 * (2 - x), -3 + 0 * x)
            return torch.stack([label, torch.where(x > 0.5, rivals, 0.2 - x), rivals], 1)

        pixels = torch.full((400, 1, 1, 1), 0.5)
        labels = torch.zeros(400, dtype=torch.int64)
        high, low = torch.full_like(pixels, 0.9), torch.full_like(pixels, 0.1)
        assert loss_of(network, high, labels)[0] > loss_of(network, low, labels)[0]
        found = perturbed(
            ProjectedGradientDescent(epsilon=0.5, steps=3, restarts=20), network, pixels, labels
        )
        assert (network(found).argmax(1) != 0).all()
        alone = perturbed(ProjectedGradientDescent(epsilon=0.5, steps=3), network, pixels, labels)
        assert (network(alone).argmax(1) == 0).float().mean() > 0.3


class TestGradients:
    @pytest.mark.parametrize("attack", ["fgsm", "pgd"])
    def test_without_a_gradient_an_attack_changes_nothing(self, attack):
        class Constant(nn.Module):
            def __init__(self, *, learned):
                super().__init__()
                self.logits = nn.Parameter(torch.tensor([2.0, 1.0, 0.0]), requires_grad=learned)

            def forward(self, images):
                return self.logits.expand(len(images), 3)

        start = {"random_start": False} if attack == "pgd" else {}
        config = parse_evaluation({"attack": attack, "epsilon": 0.3, **start})
        for learned in (False, True):
            assert torch.equal(perturbed(config, Constant(learned=learned)), PIXELS)

    def test_an_image_with_zero_gradient_stays_correctly_classified(self):
        # Logits of -151 and 151: in float32 the loss is 0, and so is its gradient.
        network = Linear([300.0], -1.0)
        image, label = torch.tensor([[[[128]]]], dtype=torch.uint8), torch.tensor([1])
        config = FastGradientSign(epsilon=0.3)
        result = evaluate(network, image, label, (0.0,), (1.0,), config, device=CPU)
        assert (result.accuracy, result.loss) == (100.0, 0.0)

    def test_a_nan_gradient_changes_nothing(self):
        def network(images):
            score = images.flatten(1).sum(1)
            score = score * torch.where(torch.arange(len(images)) == 1, math.nan, 1.0)
            return torch.stack([-score, score, -score], 1)

        moved = perturbed(FastGradientSign(epsilon=0.1), network) - PIXELS
        assert (moved[1] == 0).all()
        assert (moved[0] != 0).all()
        worst = perturbed(ProjectedGradientDescent(epsilon=0.1, restarts=2), network)
        assert worst.isfinite().all()

    @pytest.mark.parametrize("attack", ["fgsm", "pgd"])
    def test_an_attack_leaves_weight_gradients_alone(self, attack):
        network = small_network()
        network[0].weight.grad = kept = torch.ones_like(network[0].weight)
        state = {name: value.clone() for name, value in network.state_dict().items()}
        images = (PIXELS * 255).to(torch.uint8)
        config = parse_evaluation({"attack": attack, "epsilon": 0.1})
        evaluate(network.train(), images, LABELS, (0.5,), (0.5,), config, device=CPU)
        assert network[0].weight.grad is kept
        assert (kept == 1).all()
        assert network[4].weight.grad is None
        for name, value in network.state_dict().items():
            assert torch.equal(value, state[name])
        assert network.training

    def test_an_attack_builds_graphs_for_few_images_at_a_time(self):
        sizes = []

        class Counting(nn.Module):
            def forward(self, images):
                if images.requires_grad:
                    sizes.append(len(images))
                return images.flatten(1)[:, :3]

        perturbed(
            FastGradientSign(epsilon=0.1), Counting(), PIXELS.repeat(10, 1, 1, 1), LABELS.repeat(10)
        )
        assert sizes == [125, 125, 125, 25]
        del sizes[:]
        perturbed(
            FastGradientSign(epsilon=0.1), Counting(), torch.zeros(40, 1, 128, 128), LABELS[:40]
        )
        assert sizes == [31, 9]


class TestDeterminism:
    CONFIG = ProjectedGradientDescent(epsilon=0.2, steps=3, restarts=2)

    def test_an_attack_depends_only_on_its_config(self):
        network = small_network()
        torch.manual_seed(3)
        before = torch.get_rng_state()
        first = perturbed(self.CONFIG, network)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(4)
        assert torch.equal(perturbed(self.CONFIG, network), first)
        other = self.CONFIG.model_copy(update={"seed": 2})
        assert not torch.equal(perturbed(other, network), first)

    def test_pgd_starts_are_drawn_with_the_configs_seed(self):
        def constant(images):
            return torch.zeros(len(images), 3)

        pixels = torch.full((40, 1, 4, 4), 0.5)
        drawn = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(5))
        config = ProjectedGradientDescent(epsilon=0.25, seed=5)
        found = perturbed(config, constant, pixels)
        assert torch.allclose(found, pixels + 0.5 * drawn - 0.25, atol=1e-7)

    def test_the_first_images_of_a_larger_set_have_the_same_pgd_starts(self):
        class Recording(nn.Module):
            def forward(self, images):
                if not images.requires_grad:
                    seen.append(images)
                return images.flatten(1)[:, :3] * 0

        grey = torch.full((2 * EVALUATION_BATCH, 1, 4, 4), 128, dtype=torch.uint8)
        labels = torch.zeros(len(grey), dtype=torch.int64)
        config = ProjectedGradientDescent(epsilon=0.2, steps=1)
        batches = []
        for count in (EVALUATION_BATCH, 2 * EVALUATION_BATCH):
            seen = []
            evaluate(Recording(), grey[:count], labels[:count], (0.5,), (0.5,), config, device=CPU)
            batches.append(torch.cat(seen).split(EVALUATION_BATCH))
        (few,), (first, second) = batches
        assert torch.equal(few, first)
        assert not torch.equal(first, second)


class TestRuns:
    EVALUATIONS = (
        {"attack": "fgsm", "epsilon": "8/255"},
        {"attack": "pgd", "epsilon": "8/255", "step": "2/255", "steps": 3, "restarts": 2},
        {"noise": "gaussian", "std": 0.1},
    )

    @pytest.mark.parametrize("changes", [{}, {"precision": "bf16"}], ids=["fp32", "bf16"])
    @pytest.mark.slow
    def test_attacks_on_stored_weights_match_those_of_the_run(self, small, tmp_path, changes):
        config = small(training={"epochs": 2, "batch_size": 64}, **changes)
        folder = open_folder(tmp_path)
        result = run(config, self.EVALUATIONS, data_dir=NO_DATA, folder=folder)
        measured = {e["name"]: e for e in result["evaluations"]}
        assert list(measured) == ["fgsm[8/255]", "pgd[8/255,3x2/255,2 restarts]", "gaussian[0.1]"]
        for evaluation in result["evaluations"][:2]:
            assert evaluation["level"] == 8 / 255
            assert evaluation["loss"] > result["test_loss"]
            assert evaluation["accuracy"] <= result["test_accuracy"]
        again = evaluate_stored(config, self.EVALUATIONS, data_dir=NO_DATA, folders=[folder])
        assert again == result["evaluations"]
        # What was evaluated changes nothing of what was trained.
        alone = run(config, data_dir=NO_DATA)
        assert alone["weights_sha256"] == result["weights_sha256"]

    @pytest.mark.slow
    def test_more_pgd_steps_do_not_raise_the_accuracy(self, small, tmp_path):
        config = small(dataset="digits", training={"epochs": 4, "batch_size": 64})
        folder = open_folder(tmp_path)
        clean = run(config, data_dir=NO_DATA, folder=folder)["test_accuracy"]
        asked = [{"attack": "fgsm", "epsilon": 0.1}] + [
            {"attack": "pgd", "epsilon": 0.1, "step": 0.025, "steps": steps} for steps in (1, 4, 16)
        ]
        fast, *slow = (
            e["accuracy"]
            for e in evaluate_stored(config, asked, data_dir=NO_DATA, folders=[folder])
        )
        assert clean > 60  # there is something to lose
        assert clean > slow[0] >= slow[1] - 0.4 >= slow[2] - 0.8  # of 500 images, two
        assert slow[2] <= fast
        assert slow[2] < clean - 10

    def test_attacks_call_the_heartbeat_at_each_pass(self):
        calls = []
        _, test = load("digits", NO_DATA)
        images, labels = torch.tensor(test.images), torch.tensor(test.labels)
        evaluate(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
            images,
            labels,
            (0.3,),
            (0.3,),
            ProjectedGradientDescent(epsilon=0.1, steps=3),
            device=CPU,
            heartbeat=lambda: calls.append(1),
        )
        # 500 images, in four parts for a gradient, three steps, and the last pass.
        assert len(calls) == 3 * 4 + 1

    def test_a_compiled_network_is_attacked_through_its_uncompiled_network(self, monkeypatch):
        from trainers.optim import compilation

        through = []

        def compiler():
            def compile_(network, **_options):
                def graph(images):
                    assert not images.requires_grad
                    through.append(len(images))
                    return network(images)

                return graph

            return compile_

        monkeypatch.setattr(compilation, "_compiler", compiler)
        network = small_network()
        wrapped = compilation.CompiledNetwork(network, training_batch=64, evaluation_batch=125)
        images = (PIXELS * 255).to(torch.uint8).repeat(4, 1, 1, 1)[:125]
        labels = LABELS.repeat(4)[:125]
        for attack in ("fgsm", "pgd"):
            config = parse_evaluation({"attack": attack, "epsilon": 0.1})
            plain, same = (
                evaluate(each, images, labels, (0.5,), (0.5,), config, device=CPU)
                for each in (network, wrapped)
            )
            assert plain == same
        assert through == [125, 125]  # the last pass of each
