"""The expected values of ../phc.hnet (Grassucci et al. 2022): the whole kernel from torch.kron, then PyTorch's convolution."""

import torch

from shelf import read, write


def conv(algebra, part, bias, x):
    """`part` is [n, 3, 3, in / n, out / n]; a Kronecker product for each place of the kernel."""
    kernel = torch.zeros(bias.numel(), x.shape[-1], 3, 3, dtype=torch.double)
    for u in range(3):
        for v in range(3):
            kernel[:, :, u, v] = sum(torch.kron(a, f[u, v].T.contiguous()) for a, f in zip(algebra, part))
    return torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), kernel, bias, padding=1).permute(0, 2, 3, 1)


# Units 1, i, j, k times what stands to their right, as matrices.
HAMILTON = torch.tensor(
    [
        [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
        [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]],
        [[0, 0, 0, -1], [0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0]],
    ]
).double()

p, x = read("phc")
part, bias = p["conv.part"], p["conv.bias"]
y = conv(p["conv.algebra"], part, bias, x["x"])
fixed = conv(HAMILTON, part, bias, x["x"])
write("phc", whole=y, apart=y, fixed=fixed, by_hand=fixed)
