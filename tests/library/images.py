"""Squeeze-and-excitation, AdaIN, SPADE: PyTorch, after the authors' code."""
import torch
import torch.nn.functional as F

from common import Case

c = Case("images", 17)
x, style = c.input("x", 2, 3, 5, 4), c.input("style", 2, 2, 3, 4)
labels, code = c.input("map", 2, 3, 5, 2), c.input("code", 2, 3)
image = x.permute(0, 3, 1, 2)


def expect(name, y):
    c.expect(name, y.permute(0, 2, 3, 1))


fc1, fc2 = c.linear("squeeze.fc1", 4, 2), c.linear("squeeze.fc2", 2, 4)
c.expect("squeeze_y", x * torch.sigmoid(fc2(F.relu(fc1(x.mean((1, 2))))))[:, None, None])


def mean_std(y):
    """`calc_mean_std` of the authors: `y.var` is that of a sample."""
    y = y.permute(0, 3, 1, 2).flatten(2)
    return y.mean(2)[..., None, None], (y.var(2) + 1e-5).sqrt()[..., None, None]


(m, s), (want, wide) = mean_std(x), mean_std(style)
expect("adain_y", (image - m) / s * wide + want)
gain, bias = c.linear("styled.gain", 3, 4), c.linear("styled.bias", 3, 4)
expect("styled_y", F.instance_norm(image) * (1 + gain(code)[..., None, None]) + bias(code)[..., None, None])


def spade(path, k, instance):
    def conv(name, y, i, o):
        w = c.param(f"{path}.{name}.kernel", k, k, i, o).permute(3, 2, 0, 1)
        return F.conv2d(y, w, c.param(f"{path}.{name}.bias", o), padding=k // 2)

    seen = F.relu(conv("shared", labels.permute(0, 3, 1, 2), 2, 3))
    if instance:
        flat = F.instance_norm(image)
    else:
        centre, spread = c.param(f"{path}.norm.centre", 4), c.stored(f"{path}.norm.spread", c.rng.random(4) + 0.5)
        flat = F.batch_norm(image, centre, spread)
    return flat * (1 + conv("gain", seen, 3, 4)) + conv("bias", seen, 3, 4)


expect("batch_y", spade("batch", 3, False))
expect("alone_y", spade("alone", 1, True))
c.save()
