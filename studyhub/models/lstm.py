"""The LSTM, as a network that gives numbers per basin and day, and as a model of streamflow.

References
----------
Feng, D. et al. (2020). Enhancing streamflow forecast and extracting insights using LSTM networks. doi:10.1029/2019WR026793
Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. doi:10.1162/neco.1997.9.8.1735
Kratzert, F. et al. (2019). Towards learning universal, regional, and local hydrological behaviors. doi:10.5194/hess-23-5089-2019
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from studyhub.errors import DataError
from studyhub.models.simulation import Simulation
from studyhub.models.target import RECIPES, TargetScaler

FORGET_BIAS = 5.0  # Kratzert et al. (2019): an untrained cell keeps what it has seen
SAMPLES_AT_ONCE = 4096  # one-day windows simulated together: more would not be faster


class DroppedLSTM(nn.Module):
    """One LSTM layer whose weights, not its states, are dropped: one mask for all basins and days, drawn anew in each training pass.

    i, f, o = sigmoid(..), g = tanh(..) of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh;  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)

    The mask covers W_ih and W_hh, not the biases, and scales what it keeps by 1 / (1 - dropout).

    All weights are one vector (W_ih, W_hh, b_ih, b_hh; gates in the order i, f, g, o): the order that cuDNN asks for, so that it need not
    copy them together. ``torch.lstm`` is oneDNN's fused layer on a CPU in float32, forward and backward, and cuDNN's on a GPU.

    Parameters
    ----------
    dropout : share of the weights that is dropped
    generator : on the CPU; initial weights and masks are drawn from it, so that its state is all there is to save
    forget_bias : initial b_ih + b_hh of the forget gate (all of it in b_hh); None leaves it random like everything else
    """

    def __init__(self, n_inputs: int, hidden_size: int, dropout: float, generator: torch.Generator, forget_bias: float | None = None):
        super().__init__()
        self.hidden_size, self.dropout, self._generator = hidden_size, dropout, generator
        gates = 4 * hidden_size
        self._shapes = [(gates, n_inputs), (gates, hidden_size), (gates,), (gates,)]
        self._matrices = gates * (n_inputs + hidden_size)
        self.weights = nn.Parameter(_uniform((self._matrices + 2 * gates,), hidden_size, generator))
        if forget_bias is not None:
            with torch.no_grad():
                *_, b_ih, b_hh = self.split(self.weights)
                b_ih[hidden_size : 2 * hidden_size] = 0.0
                b_hh[hidden_size : 2 * hidden_size] = forget_bias

    def split(self, weights: Tensor) -> list[Tensor]:
        """W_ih [4 hidden, input], W_hh [4 hidden, hidden], b_ih and b_hh [4 hidden] as views of one vector."""
        parts = weights.split([math.prod(shape) for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        """Hidden states [time, basin, hidden] of inputs [time, basin, input], from a state of zeros."""
        weights = self.weights
        if self.training and self.dropout > 0:
            mask = torch.ones_like(weights)
            mask[: self._matrices] = _keep((self._matrices,), self.dropout, weights, self._generator)
            weights = weights * mask
        start = x.new_zeros(1, x.shape[1], self.hidden_size)
        # cuDNN keeps what its backward pass needs only where `train` is True; the layer's own dropout (0.0) has no part in it.
        train = torch.is_grad_enabled()
        return torch.lstm(x, (start, start), self.split(weights), True, 1, 0.0, train, False, False)[0]


class Network(nn.Module):
    """From scaled forcing and attributes to ``n_outputs`` numbers per basin and day.

    "feng2020": ReLU(W_x x_t + W_a a + b) -> LSTM with dropout on its weights -> linear layer.
    "kratzert2019": LSTM of (x_t, a), forget-gate bias 5 -> dropout on its output -> linear layer.

    Every weight and bias begins uniform in +-1 / sqrt(hidden_size).

    Parameters
    ----------
    generator : on the CPU; the source of all this network's randomness
    """

    def __init__(
        self, n_forcing: int, n_attributes: int, hidden_size: int, n_outputs: int, recipe: str, dropout: float, generator: torch.Generator
    ):
        super().__init__()
        assert recipe in RECIPES, f"a recipe is one of {RECIPES}, got {recipe!r}"
        n_inputs = n_forcing + n_attributes
        self.n_forcing, self._generator = n_forcing, generator
        if recipe == "feng2020":
            self.input: nn.Linear | None = _linear(n_inputs, hidden_size, hidden_size, generator)
            self.lstm, self.output_dropout = DroppedLSTM(hidden_size, hidden_size, dropout, generator), 0.0
        else:
            self.input = None
            self.lstm, self.output_dropout = DroppedLSTM(n_inputs, hidden_size, 0.0, generator, FORGET_BIAS), dropout
        self.head = _linear(hidden_size, n_outputs, hidden_size, generator)

    def features(self, x: Tensor, attributes: Tensor, first: int = 0) -> Tensor:
        """Return what the head sees, [time - first, basin, hidden], from day ``first`` on.

        Parameters
        ----------
        x : [time, basin, forcing], scaled
        attributes : [basin, attribute], scaled
        """
        if self.input is None:
            seen = torch.cat([x, attributes.expand(x.shape[0], -1, -1)], dim=-1)
        else:
            # The attributes' part is the same every day: once per basin.
            weight = self.input.weight
            constant = linear(attributes, weight[:, self.n_forcing :], self.input.bias)
            seen = torch.relu_(linear(x, weight[:, : self.n_forcing]).add_(constant))
        hidden = self.lstm(seen)[first:]
        if self.training and self.output_dropout > 0:
            hidden = hidden * _keep(hidden.shape, self.output_dropout, hidden, self._generator)
        return hidden

    def forward(self, x: Tensor, attributes: Tensor, first: int = 0) -> Tensor:
        """Return [time - first, basin, output] from day ``first`` on; see ``features``."""
        return self.head(self.features(x, attributes, first))


class StreamflowLSTM(nn.Module):
    """Streamflow from forcing and attributes alone.

    Parameters
    ----------
    network : with one output, the scaled discharge
    target : its scale
    context : days that each simulated day is made from in evaluation, itself included: for a network trained on single days, which has
        never run longer. None: the LSTM runs on from the begin of the warm-up.
    """

    def __init__(self, network: Network, target: TargetScaler, context: int | None = None):
        super().__init__()
        self.network, self.target, self.context = network, target, context

    def forward(self, x: Tensor, attributes: Tensor, forcing: Tensor | None, warmup: int) -> Simulation:
        """Simulate the days after the warm-up.

        Parameters
        ----------
        x : [time, basin, forcing], scaled
        attributes : [basin, attribute], scaled
        forcing : unused; models of the water balance take theirs here
        warmup : days before the first simulated one
        """
        if self.training or self.context is None:
            target = self.network(x, attributes, warmup)[..., 0]
        else:
            target = self._day_by_day(x, attributes, warmup, self.context)
        return Simulation(self.target.unscale(target, attributes), target)

    def scale(self, q: Tensor, attributes: Tensor) -> Tensor:
        """Discharge [time, basin] in mm/d on the scale of ``Simulation.target``."""
        return self.target.scale(q, attributes)

    def _day_by_day(self, x: Tensor, attributes: Tensor, warmup: int, context: int) -> Tensor:
        """Run each day [time - warmup, basin] on its own, from the ``context`` days that end with it."""
        if warmup < context - 1:
            raise DataError(
                f"a day simulated from {context} days needs a warm-up of at least {context - 1}, got {warmup}; lengthen the warm-up"
            )
        begins = torch.arange(warmup - context + 1, x.shape[0] - context + 1, device=x.device)
        offsets = torch.arange(context, device=x.device)[:, None]
        basins = x.shape[1]
        parts = []
        for some in begins.split(max(1, SAMPLES_AT_ONCE // basins)):
            windows = x[offsets + some].flatten(1, 2)
            last = self.network(windows, attributes.repeat(len(some), 1), context - 1)
            parts.append(last.view(len(some), basins))
        return torch.cat(parts)


def _uniform(shape: tuple[int, ...], hidden_size: int, generator: torch.Generator) -> Tensor:
    bound = 1 / math.sqrt(hidden_size)
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def _linear(n_inputs: int, n_outputs: int, hidden_size: int, generator: torch.Generator) -> nn.Linear:
    # By way of "meta", for nn.Linear would draw from the global generator first.
    layer = nn.Linear(n_inputs, n_outputs, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.copy_(_uniform(tuple(layer.weight.shape), hidden_size, generator))
        layer.bias.copy_(_uniform(tuple(layer.bias.shape), hidden_size, generator))
    return layer


def _keep(shape: tuple[int, ...], dropout: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """Dropout mask of 0 and 1 / (1 - dropout), on the device and in the dtype of ``like``.

    On a GPU only a seed comes from the CPU's generator: its state alone decides all masks, and no mask crosses the bus.
    """
    if like.device.type != "cpu":
        seed = int(torch.randint(2**62, (), generator=generator))
        generator = torch.Generator(like.device).manual_seed(seed)
    return like.new_empty(shape).bernoulli_(1 - dropout, generator=generator).div_(1 - dropout)
