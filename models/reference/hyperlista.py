"""The expected values of ../hyperlista.hnet (Chen et al. 2021): one signal after the other, in NumPy."""

import numpy as np

from shelf import read, write

p, x = read("hyperlista")
c1, c2, c3 = (float(p[c]) for c in ("c1", "c2", "c3"))
a, w, pinv = (x[k].numpy() for k in ("a", "w", "pinv"))
codes, missed = [], []
for y in x["y"].numpy():
    code = old = np.zeros(a.shape[1])
    begin, left = np.abs(pinv @ y).sum(), []
    for _ in range(8):
        rest = a @ code - y
        far = np.abs(pinv @ rest).sum()
        v = code - w.T @ rest + c2 * np.count_nonzero(code) * (code - old)
        free = min(c3 * np.log(begin / far), len(v))
        place = np.argsort(np.argsort(-np.abs(v)))
        shrunk = np.sign(v) * np.maximum(np.abs(v) - c1 * far, 0)
        old, code = code, np.where(place + 1 <= free, v, shrunk)
        left.append((rest**2).sum())
    codes.append(code)
    missed.append(left)
write("hyperlista", code=np.array(codes), left=np.array(missed), support=np.count_nonzero(codes, axis=1))
