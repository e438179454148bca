"""torch modules read: values equal torch's, names kept, modules untouched, refusals by name."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.networks.layers import Add, Linear, ReLU
from slth.networks.pooling import AveragePool
from slth.readers.read import read

torch = pytest.importorskip("torch")
nn = torch.nn
F = nn.functional


class Block(nn.Module):
    """A residual block with batch norm, in the style of ResNet."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Any) -> Any:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = nn.Sequential(Block(4, 4, 1), Block(4, 6, 2))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        x = self.layers(self.pool(F.relu(self.stem(x))))
        x = F.adaptive_avg_pool2d(x, 1)
        return F.log_softmax(self.head(x.view(x.size(0), -1)), dim=1)


class Functional(nn.Module):
    """Functions and methods instead of modules, with weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(3, 2, 3, 3))
        self.fc = nn.Linear(3 * 4 * 4, 5)
        self.weight = nn.Parameter(torch.randn(2, 5))
        self.norm = nn.BatchNorm1d(5)

    def forward(self, x: Any) -> Any:
        x = torch.relu(F.conv2d(x, self.kernel, stride=2, padding=1))
        x = F.dropout(x, 0.5, training=False).reshape(x.shape[0], -1)
        x = self.norm(self.fc(x).relu())
        return F.linear(x, weight=self.weight)


def ready(module: Any, seed: int = 0) -> Any:
    """Random parameters and running statistics, in evaluation mode, float64."""
    torch.manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.uniform_(part.bias, -1, 1)
    return module.double().eval()


CASES = [
    (nn.Linear(4, 3), (4,)),
    (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), None),
    (nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Dropout(), nn.ReLU(), nn.Identity()), (3, 2, 2)),
    (
        nn.Sequential(
            nn.Conv1d(2, 4, 3, padding=1, padding_mode="circular"),
            nn.BatchNorm1d(4),
            nn.ReLU(),
            nn.AvgPool1d(2),
        ),
        (2, 8),
    ),
    (nn.Sequential(nn.Conv2d(4, 4, 3, groups=2, dilation=2, padding="same"), nn.MaxPool2d(2)), (4, 6, 6)),
    (nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 1, (1, 2), stride=(2, 1))), (2, 5, 4)),
    (nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2), nn.BatchNorm1d(2)), (3,)),
    (nn.Sequential(nn.Linear(8, 8), nn.Unflatten(1, (2, 2, 2)), nn.Conv2d(2, 3, 2), nn.Flatten()), None),
    (nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d((2, None)), nn.Flatten(1, -1)), (1, 6, 5)),
    (nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(3, 2, 1, count_include_pad=False)), (1, 6, 5)),
    (nn.Sequential(nn.Conv1d(1, 2, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 2)), (1, 5)),
    (nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1)), None),
    (Residual(), (2, 8, 8)),
    (Functional(), (2, 8, 8)),
]


@pytest.mark.parametrize(("module", "shape"), CASES)
def test_values_are_those_of_torch(module: Any, shape: Any) -> None:
    module = ready(module)
    before = copy.deepcopy(module.state_dict())
    code = module.forward
    network = read(module, input_shape=shape, output="logits")
    shape = shape or (network.input_size,)
    x = torch.randn(5, *shape, dtype=torch.float64)
    with torch.no_grad():
        expected = module(x).reshape(5, -1).numpy()
    found = network.forward(x.reshape(5, -1).numpy())
    if any(isinstance(part, nn.Softmax) for part in module.modules()) or isinstance(module, Residual):
        found, expected = found - found[:, :1], np.log(np.exp(expected)) - expected[:, :1]
        if not isinstance(module, Residual):
            with torch.no_grad():
                logits = module[0](x).numpy()
            expected = logits - logits[:, :1]
    assert np.abs(found - expected).max() <= 1e-12 * max(1.0, np.abs(expected).max())
    after = module.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert module.forward == code
    assert not module.training


def test_names_are_kept_and_batch_norm_is_folded() -> None:
    network = read(ready(Residual()), input_shape=(2, 8, 8), output="logits")
    linear = [node.name for node in network.nodes if isinstance(node, Linear)]
    assert linear == [
        "stem",
        "layers.0.conv1",
        "layers.0.conv2",
        "layers.1.conv1",
        "layers.1.conv2",
        "layers.1.downsample.0",
        "head",
    ]
    assert sum(isinstance(node, Add) for node in network.nodes) == 2
    assert sum(isinstance(node, AveragePool) for node in network.nodes) == 1
    assert network.output == "head"
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert [layer.name for layer in read(mlp, input_shape=(1, 2, 2)).dense_chain()] == ["1", "3"]


def test_float32_weights_are_exact_and_training_mode_is_read_as_evaluation() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.9), nn.ReLU(), nn.Linear(4, 2)).train()
    network = read(module)
    assert module.training
    for layer, part in zip(network.dense_chain(), (module[0], module[3]), strict=True):
        assert np.array_equal(layer.weight, part.weight.detach().numpy())
        assert layer.bias is not None
        assert np.array_equal(layer.bias, part.bias.detach().numpy())


def test_pruned_modules_are_read_with_their_masks() -> None:
    from torch.nn.utils import prune

    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    prune.random_unstructured(module[0], "weight", amount=0.5)
    x = torch.randn(4, 6, dtype=torch.float64)
    assert np.allclose(read(module).forward(x.numpy()), module(x).detach().numpy(), atol=1e-13)
    first = read(module).nodes[1]
    assert isinstance(first, Linear)
    assert int((first.coefficients == 0).sum()) == 15


def test_a_module_reused_without_weights_and_one_with() -> None:
    act = nn.ReLU()
    network = read(nn.Sequential(nn.Linear(2, 2), act, nn.Linear(2, 2), act))
    assert [node.name for node in network.nodes if isinstance(node, ReLU)] == ["1", "1_2"]
    fc = nn.Linear(2, 2)
    with pytest.raises(InvalidInput, match=r"'0\.weight' again: shared weights \(layer '0\.weight'\)"):
        read(nn.Sequential(fc, nn.ReLU(), fc))


class Returns(nn.Module):
    """A module around a function of the input and one layer."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(self.fc, x)


class TwoInputs(nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return x + y


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x: Any) -> Any:
        return self.b(torch.relu(self.a(x)))


def spoiled(module: Any, value: float) -> Any:
    with torch.no_grad():
        module[0].weight.view(-1)[1] = value
    return module


def hooked(module: Any) -> Any:
    module.register_forward_hook(lambda *_: None)
    return module


@pytest.mark.parametrize(
    ("module", "shape", "match"),
    [
        (
            nn.Sequential(nn.Linear(4, 4), nn.GELU()),
            None,
            r"got GELU \(layer '1'\)\. Supported: Linear, Conv1d",
        ),
        (nn.Sequential(nn.Linear(4, 4), nn.Sigmoid()), None, r"got Sigmoid \(layer '1'\)"),
        (nn.Sequential(nn.Conv3d(1, 1, 1)), (1, 4, 4), r"got Conv3d \(layer '0'\)"),
        (nn.Sequential(nn.ConvTranspose2d(1, 1, 1)), (1, 4, 4), r"got ConvTranspose2d \(layer '0'\)"),
        (Returns(lambda fc, x: F.gelu(fc(x))), None, r"got gelu \(layer 'gelu'\)\. Supported"),
        (Returns(lambda fc, x: fc(x) * x), None, r"multiply values by numbers only; got Value \(layer 'mul'\)"),
        (Returns(lambda fc, x: fc(x)[:, :2]), None, r"got indexing \(layer 'getitem'\)"),
        (Returns(lambda fc, x: fc(x) + 1), None, r"add values of layers; got Value and int \(layer 'add'\)"),
        (Returns(lambda fc, x: fc(x).view(-1)), None, r"leave the batch axis alone; got a reshape to \(-1,\)"),
        (
            Returns(lambda fc, x: fc(x) if x.sum() > 0 else x),
            None,
            "a module that torch.fx can trace; got Returns",
        ),
        (
            Returns(lambda fc, x: F.dropout(fc(x))),
            None,
            r"dropout that is on \(layer 'dropout'\)\. Call module",
        ),
        (Returns(lambda fc, x: (fc(x), x)), None, "must return one tensor; got tuple"),
        (nn.Sequential(nn.ReLU()), (4,), "must have at least one linear layer; got none"),
        (
            Returns(lambda fc, x: torch.flatten(fc(x))),
            None,
            "leave the batch axis alone; got flatten from axis 0",
        ),
        (Returns(lambda fc, x: fc(x).mean(1)), None, r"means over all places of an image; got mean over 1"),
        (TwoInputs(), (4,), r"must take one input; got 2 \(x, y\)"),
        (nn.Sequential(), (4,), "must have at least one linear layer; got none"),
        (Tied(), None, r"those of 'a\.weight' again: shared weights \(layer 'b\.weight'\)"),
        (
            spoiled(nn.Sequential(nn.Linear(4, 2)), float("nan")),
            None,
            "`weight of layer '0'` must be finite; got nan",
        ),
        (
            spoiled(nn.Sequential(nn.Conv2d(1, 2, 2)), float("inf")),
            (1, 4, 4),
            "`weight of layer '0'` .* got inf",
        ),
        (nn.Sequential(nn.LazyLinear(3)), (4,), r"have all weights; got LazyLinear without any \(layer '0'\)"),
        (nn.Sequential(nn.Linear(4, 2, dtype=torch.complex64)), None, r"got torch.complex64 \('0\.weight'\)"),
        (nn.Sequential(nn.Linear(4, 2, device="meta")), None, r"plain real weights; got torch.float32 \('0\.w"),
        (hooked(nn.Linear(4, 2)), None, r"have no hooks; got hooks on Linear \(layer 'Linear'\)"),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), None, r"`input_shape` must be given, like \(1, 28, 28\)"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3)),
            (2, 4, 4),
            r"a convolution 1 channels; got shape \(2, 4, 4\) \(layer",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 5)),
            (1, 4, 4),
            r"`kernel` must fit .* got 5 positions for 4 .*layer '0'",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3)),
            (1, 16),
            r"of shape \(channels, height, width\); got shape \(1, 16\)",
        ),
        (
            nn.Sequential(nn.Linear(4, 2)),
            (1, 2, 2),
            r"a vector of 4; got shape .*layer '0'\)\. Flatten it first",
        ),
        (nn.Sequential(nn.Linear(4, 2)), (5,), r"a vector of 4; got shape \(5,\) \(layer '0'\)\.$"),
        (
            nn.Sequential(nn.Linear(4, 2)),
            (1, 1, 1, 4),
            r"`input_shape` must be \(d,\), \(C, L\) or \(C, H, W\)",
        ),
        (nn.Sequential(nn.Linear(4, 2)), (0,), "`input_shape` must be an integer in"),
        (
            nn.Sequential(nn.Linear(4, 2), nn.Softmax(1)),
            None,
            r"`output` must be 'logits' .*Softmax \(layer '1'\)",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")),
            (1, 4, 4),
            r"pad with zeros or circularly; got padding_mode 'reflect' \(layer '0'\)",
        ),
        (nn.Sequential(nn.MaxPool2d(2, ceil_mode=True)), (1, 5, 5), "ceil_mode with a remainder"),
        (
            nn.Sequential(nn.MaxPool2d(2, return_indices=True)),
            (1, 4, 4),
            "values of pools only; got return_indices",
        ),
        (nn.Sequential(nn.AvgPool2d(2, divisor_override=3)), (1, 4, 4), "got divisor_override 3"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(3)), (1, 4, 4), r"sizes that divide the input; got \(4, 4\) made"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, track_running_stats=False)),
            (1, 2, 2),
            r"keep running statistics; got BatchNorm2d without them \(layer '1'\)",
        ),
    ],
)
def test_modules_that_are_refused(module: Any, shape: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        read(module, input_shape=shape)


def test_a_soft_max_in_the_middle() -> None:
    with pytest.raises(
        InvalidInput, match=r"a soft-max at its end only; got one followed by '2' \(layer '1'\)"
    ):
        read(nn.Sequential(nn.Linear(4, 2), nn.Softmax(1), nn.Linear(2, 2)), output="logits")
