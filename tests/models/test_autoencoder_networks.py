"""Networks fit images of any size, and give each pixel its own place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bayeskit.models.autoencoders.module import given_quadrants
from bayeskit.models.autoencoders.networks import ConvDecoder, ConvTrunk, MlpDecoder, MlpTrunk, halvings


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 7), (8, 8), (28, 28), (17, 4, 3), (9, 1, 2)])
@pytest.mark.parametrize("channels", [(3,), (2, 3, 4)])
def test_convolutions_fit_any_height_and_width(shape, channels):
    trunk = ConvTrunk(shape, 2, channels, nn.ReLU)
    features = trunk(torch.rand(4, int(np.prod(shape))), torch.rand(4, 2))
    assert features.shape == (4, trunk.n_features)
    decoder = ConvDecoder(5, channels[::-1], shape, 6, nn.ReLU)
    assert decoder(torch.randn(4, 5)).shape == (4, int(np.prod(shape)), 6)


def test_halving_rounds_up():
    assert halvings((28, 5), 3) == [(28, 5), (14, 3), (7, 2), (4, 1)]


def test_convolutions_see_pixels_where_they_are():
    """A kernel that copies the middle pixel picks every second one of every second line, of its own channel."""
    trunk = ConvTrunk((4, 6, 2), 0, (2,), nn.Identity)
    kernel = trunk.convolutions[0]
    nn.init.zeros_(kernel.weight)
    nn.init.zeros_(kernel.bias)
    for channel in range(2):
        kernel.weight.data[channel, channel, 1, 1] = 1
    image = torch.arange(48.0).reshape(4, 6, 2)
    seen = trunk.convolutions(image.reshape(1, -1).reshape(-1, 4, 6, 2).permute(0, 3, 1, 2))
    torch.testing.assert_close(seen.reshape(2, 2, 3), image[::2, ::2].permute(2, 0, 1))


def test_decoded_pixels_lie_where_they_were_made():
    """A stride of 2 spreads one pixel of the layer before over those that lie on it."""
    decoder = ConvDecoder(1, (1,), (3, 5, 2), 1, nn.Identity)
    layer = decoder.convolutions[0]
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    for part in decoder.dense.modules():
        if isinstance(part, nn.Linear):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)
    decoder.dense[-2].bias.data[4] = 1  # of 2 x 3 places that in line 2, column 2
    image = decoder(torch.zeros(1, 1)).reshape(3, 5, 2)
    expected = torch.zeros(3, 5, 2)
    expected[1:, 1:5] = 1
    torch.testing.assert_close(image, expected)


def test_without_hidden_layers_the_model_is_linear():
    trunk, decoder = MlpTrunk(3, 2, (), nn.SiLU), MlpDecoder(4, (), 3, 1, nn.SiLU)
    rows, given = torch.rand(5, 3), torch.rand(5, 2)
    torch.testing.assert_close(trunk(rows, given), torch.cat([rows, given], 1))
    codes = torch.randn(6, 4)
    double = decoder(2 * codes) - decoder(0 * codes)
    torch.testing.assert_close(double, 2 * (decoder(codes) - decoder(0 * codes)))


@pytest.mark.parametrize(
    ("quadrants", "lines"),
    [
        (1, ["....", "....", "##..", "##.."]),
        (2, ["##..", "##..", "##..", "##.."]),
        (3, ["####", "####", "##..", "##.."]),
    ],
)
def test_quadrants_are_those_of_the_tutorial(quadrants, lines):
    expected = np.array([[mark == "#" for mark in line] for line in lines])
    np.testing.assert_array_equal(given_quadrants((4, 4), quadrants).reshape(4, 4), expected)


def test_quadrants_of_odd_images_share_no_pixel_and_lack_none():
    sizes = [int(given_quadrants((5, 7, 3), quadrants).sum()) for quadrants in (0, 1, 2, 3)]
    assert sizes == [0, 3 * 3 * 3, 5 * 3 * 3, (2 * 7 + 3 * 3) * 3]
