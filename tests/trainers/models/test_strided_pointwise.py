import pytest
import torch
from torch import nn

from trainers.models.strided_pointwise import replace_strided_pointwise

NARROW = nn.Conv2d(4, 6, 1, stride=2)


@pytest.fixture
def capability(monkeypatch):
    def pretend(name):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: name)

    return pretend


def network(**options):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 1, **{"stride": 2} | options)
    ).double()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="biased"),
        pytest.param({"bias": False}, id="unbiased"),
        pytest.param({"stride": (1, 3)}, id="in one direction"),
        pytest.param({"groups": 2}, id="in groups"),
    ],
)
@pytest.mark.parametrize("side", [6, 7])
def test_the_same_numbers_and_gradients_come_out(capability, options, side):
    capability("DEFAULT")
    plain, sampled = network(**options), network(**options)
    replace_strided_pointwise(plain, torch.device("cpu"))
    capability("AVX2")
    replace_strided_pointwise(sampled, torch.device("cpu"))
    assert type(plain[2]) is nn.Conv2d
    assert type(sampled[2]) is not nn.Conv2d
    assert [*sampled.state_dict()] == [*plain.state_dict()]
    images = torch.rand(3, 2, side, side, dtype=torch.float64)
    outputs = []
    for each in (plain, sampled):
        # Not channels last, which is what this machine may compute wrongly.
        outputs.append(each(images))
        outputs[-1].square().sum().backward()
    assert outputs[0].shape == outputs[1].shape
    assert torch.allclose(outputs[0], outputs[1], rtol=0, atol=1e-12)
    for (name, one), (_, other) in zip(
        plain.named_parameters(), sampled.named_parameters(), strict=True
    ):
        assert torch.allclose(one.grad, other.grad, rtol=0, atol=1e-12), name


@pytest.mark.parametrize(
    "safe",
    [
        pytest.param(nn.Conv2d(8, 16, 1, stride=2), id="whole blocks of channels"),
        pytest.param(nn.Conv2d(4, 8, 1), id="without a stride"),
        pytest.param(nn.Conv2d(4, 8, 3, stride=2, padding=1), id="of several pixels"),
    ],
)
def test_other_convolutions_are_left_alone(capability, safe):
    capability("AVX2")
    layers = nn.Sequential(safe)
    replace_strided_pointwise(layers, torch.device("cpu"))
    assert layers[0] is safe


@pytest.mark.parametrize(
    ("capability_", "device"), [("AVX512", "cpu"), ("DEFAULT", "cpu"), ("AVX2", "cuda")]
)
def test_elsewhere_nothing_is_replaced(capability, capability_, device):
    capability(capability_)
    layers = nn.Sequential(NARROW)
    replace_strided_pointwise(layers, torch.device(device))
    assert layers[0] is NARROW
