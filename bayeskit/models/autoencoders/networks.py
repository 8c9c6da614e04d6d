"""Encoders' trunks and decoders: layers with sizes, or strided convolutions of images of any height and width.

Activations: SiLU of tables, as what they generate has to follow a condition smoothly, and has no kinks where a ReLU
switches; ReLU of images, whose wide layers it serves as well and faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

DENSE = 256  # the layer between convolutions and codes


def layers(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Return linear layers, each with an activation behind it."""
    made: list[nn.Module] = []
    for size, following in pairwise(sizes):
        made += [nn.Linear(size, following), activation()]
    return nn.Sequential(*made)


class MlpTrunk(nn.Module):
    """Hidden layers over a row and what is given with it; without any, these themselves.

    Parameters
    ----------
    size, n_given
        Numbers of values.
    hidden
        Sizes of the layers; empty for a linear model.
    activation
        Between layers.
    """

    def __init__(self, size: int, n_given: int, hidden: Sequence[int], activation: type[nn.Module]) -> None:
        super().__init__()
        self.layers = layers((size + n_given, *hidden), activation)
        self.n_features = (size + n_given, *hidden)[-1]

    def forward(self, rows: Tensor, given: Tensor | None) -> Tensor:
        """Return features, ``n x n_features``."""
        features: Tensor = self.layers(_beside(rows, given))
        return features


class ConvTrunk(nn.Module):
    """Convolutions that halve an image, rounding up, and a dense layer over them and what is given with the image.

    Parameters
    ----------
    shape
        Of the image: height, width and, unless it is 1, channels.
    n_given
        Number of values that are given.
    channels
        Of the convolutions.
    activation
        Between layers.
    """

    def __init__(
        self, shape: Sequence[int], n_given: int, channels: Sequence[int], activation: type[nn.Module]
    ) -> None:
        super().__init__()
        self.shape = (*shape, 1)[:3]
        made: list[nn.Module] = []
        for before, after in pairwise((self.shape[2], *channels)):
            made += [nn.Conv2d(before, after, 3, stride=2, padding=1), activation()]
        self.convolutions = nn.Sequential(*made, nn.Flatten())
        height, width = halvings(shape, len(channels))[-1]
        self.dense = layers((channels[-1] * height * width + n_given, DENSE), activation)
        self.n_features = DENSE

    def forward(self, rows: Tensor, given: Tensor | None) -> Tensor:
        """Return features, ``n x n_features``."""
        images = rows.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        features: Tensor = self.dense(_beside(self.convolutions(images), given))
        return features


class MlpDecoder(nn.Module):
    """Layers from codes, and what is given with them, to the parameters of each value.

    Parameters
    ----------
    n_inputs
        Codes and what is given.
    hidden
        Sizes of the hidden layers; empty for a linear model.
    size, n_outputs
        Values of a row, and parameters of each.
    activation
        Between layers.
    """

    def __init__(
        self, n_inputs: int, hidden: Sequence[int], size: int, n_outputs: int, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.hidden = layers((n_inputs, *hidden), activation)
        self.output = nn.Linear((n_inputs, *hidden)[-1], size * n_outputs)

    def forward(self, codes: Tensor) -> Tensor:
        """Return parameters, ``n x size x n_outputs``."""
        parameters: Tensor = self.output(self.hidden(codes))
        return parameters.reshape(len(codes), -1, self.n_outputs)


class ConvDecoder(nn.Module):
    """A dense layer, and transposed convolutions that double an image and cut it to the size that was halved.

    Kernels of 4 by 4 cover each pixel equally often at a stride of 2, so that there is no chequered pattern: Odena et
    al. (2016), doi:10.23915/distill.00003.

    Parameters
    ----------
    n_inputs
        Codes and what is given.
    channels
        Of the convolutions' inputs, in the decoder's order.
    shape
        Of the image.
    n_outputs
        Parameters of each value.
    activation
        Between layers.
    """

    def __init__(
        self, n_inputs: int, channels: Sequence[int], shape: Sequence[int], n_outputs: int, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        self.sizes = halvings(shape, len(channels))[::-1]
        self.first, self.n_outputs = channels[0], n_outputs
        self.dense = layers((n_inputs, DENSE, channels[0] * math.prod(self.sizes[0])), activation)
        following = (*channels[1:], (*shape, 1)[2] * n_outputs)
        pairs = zip(channels, following, strict=True)
        self.convolutions = nn.ModuleList(nn.ConvTranspose2d(*pair, 4, stride=2, padding=1) for pair in pairs)
        self.activation = activation()

    def forward(self, codes: Tensor) -> Tensor:
        """Return parameters, ``n x size x n_outputs``."""
        images: Tensor = self.dense(codes).reshape(len(codes), self.first, *self.sizes[0])
        for place, (convolution, (height, width)) in enumerate(zip(self.convolutions, self.sizes[1:], strict=True)):
            images = convolution(self.activation(images) if place else images)[..., :height, :width]
        return images.permute(0, 2, 3, 1).reshape(len(codes), -1, self.n_outputs)


def halvings(shape: Sequence[int], number: int) -> list[tuple[int, int]]:
    """Return heights and widths of an image that is halved so often, rounding up; the first is its own."""
    sizes = [(shape[0], shape[1])]
    for _ in range(number):
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def _beside(values: Tensor, given: Tensor | None) -> Tensor:
    return values if given is None else torch.cat([values, given], dim=-1)
