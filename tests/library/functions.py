"""Functions of numbers: SciPy; transforms: NumPy."""
import numpy as np
import scipy.fft
import scipy.special as special
import torch
import torch.nn.functional as F

from common import Case

c = Case("functions", 23)
x = c.given("x", np.array([0.1, 0.4, 0.7, 1.4, 3.0, 7.9, 8.1, 25.5, -0.3, -1.6, -4.2, 400.0]))
re, im, five = c.input("re", 3, 8), c.input("im", 3, 8), c.input("five", 3, 5)
k = c.given("k", torch.tensor([2, -1, 4]))
c.expect("lgamma_y", special.loggamma(x.numpy().astype(complex)).real)
c.expect("digamma_y", special.digamma(x.numpy()))
c.expect("elu_y", F.elu(x, 0.7))
c.expect("mish_y", F.mish(x))
c.expect("leaky_y", F.leaky_relu(x))
c.expect("cosine_y", F.cosine_similarity(re, im))
c.expect("hot", np.array([[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], float))
there = np.fft.fft(re.numpy() + 1j * im.numpy())
c.expect("fft_re", there.real)
c.expect("fft_im", there.imag)
c.expect("back_re", re)
c.expect("back_im", im)
odd = np.fft.fft((1 + 2j) * five.numpy())
c.expect("dft_re", odd.real)
c.expect("dft_im", odd.imag)
c.expect("home_re", five)
c.expect("power_y", np.abs(np.fft.rfft(five.numpy())) ** 2)
c.expect("dct_y", scipy.fft.dct(five.numpy(), norm="ortho"))
c.expect("circle", np.fft.ifft(np.fft.fft(re.numpy()) * np.fft.fft(im.numpy())).real)
c.save()
