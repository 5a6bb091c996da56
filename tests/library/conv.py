"""Convolutions, pools, upsampling, sampling: PyTorch, with channels moved to the end."""
import torch
import torch.nn.functional as F

from common import Case

c = Case("conv", 7)
x = c.input("x", 2, 5, 7, 4)
s = c.input("s", 2, 6, 4)
at = c.given("at", torch.tensor([[-0.3, 0.9], [1.1, -1.2]]))
image, line = x.permute(0, 3, 1, 2), s.transpose(1, 2)


def kernel(path, *shape):
    """`[k, (k,) c, o]` as `[o, c, k, (k)]`"""
    w = c.param(f"{path}.kernel", *shape)
    return w.permute(-1, -2, *range(w.dim() - 2))


def turned(path, *shape):
    """As `[c, o, k, (k)]`."""
    w = c.param(f"{path}.kernel", *shape)
    return w.permute(-2, -1, *range(w.dim() - 2))


def expect(name, y):
    c.expect(name, y.movedim(1, -1))


bias = lambda path, o: c.param(f"{path}.bias", o)
expect("plain_y", F.conv2d(image, kernel("plain", 3, 3, 4, 2), bias("plain", 2), padding=1))
expect("strided_y", F.conv2d(image, kernel("strided", 3, 3, 2, 6), bias("strided", 6), 2, 1, groups=2))
expect("wide_y", F.conv2d(image, kernel("wide", 2, 2, 1, 4), dilation=2, groups=4))
expect("line_y", F.conv1d(line, kernel("line", 3, 4, 2), bias("line", 2), 2, 2, 2))
expect("causal_y", F.conv1d(F.pad(line, (6, 0)), kernel("causal", 4, 2, 4), bias("causal", 4), dilation=2, groups=2))
expect("up_y", F.conv_transpose2d(image, turned("up", 3, 3, 4, 3), bias("up", 6), 2, 1, 1, 2))
expect("up_line_y", F.conv_transpose1d(line, turned("up_line", 4, 4, 3), bias("up_line", 3), 3, 2, dilation=2))
expect("largest_y", F.max_pool2d(image, 3, 2, 1))
expect("average_y", F.avg_pool2d(image, 3, 2, 1))
expect("inside_y", F.avg_pool2d(image, 2, 2, 1, count_include_pad=False))
expect("parts_y", F.adaptive_avg_pool2d(image, 3))
expect("near_y", F.interpolate(image, scale_factor=2))
expect("between_y", F.interpolate(image, scale_factor=2, mode="bilinear"))
expect("corners_y", F.interpolate(image, scale_factor=3, mode="bilinear", align_corners=True))
grid = at.flip(-1)[:, None, None]  # PyTorch says the column first
expect("border", F.grid_sample(image, grid, padding_mode="border", align_corners=False)[..., 0, 0])
expect("zeros_y", F.grid_sample(image, grid, padding_mode="zeros", align_corners=True)[..., 0, 0])
c.save()
