// Which rows a step takes, and what it draws from: the same bits as on every other backend.
// A function of a counter and a key (Philox4x32-10), and a keyed order of 0..n (a Feistel network). Written by hand; the same for every model.

const high = (a, b) => Number((BigInt(a) * BigInt(b)) >> 32n);

/** Four random words. */
export function philox([c0, c1, c2, c3], [k0, k1]) {
  for (let round = 0; round < 10; round++) {
    const p0 = high(0xd2511f53, c0 >>> 0), p1 = high(0xcd9e8d57, c2 >>> 0);
    [c0, c1, c2, c3] = [p1 ^ c1 ^ k0, Math.imul(0xcd9e8d57, c2), p0 ^ c3 ^ k1, Math.imul(0xd2511f53, c0)];
    [k0, k1] = [(k0 + 0x9e3779b9) | 0, (k1 + 0xbb67ae85) | 0];
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

const low = (n) => n % 2 ** 32, upper = (n) => Math.floor(n / 2 ** 32);

/** The seed of one batch. */
export const seedOf = (seed, key, round, q) => philox([low(q), upper(q), round, key], [seed, 0x74726169])[0] | 0;

/** FNV-1a, 32 bits. */
export function hash(text) {
  return new TextEncoder().encode(text).reduce((h, b) => Math.imul(h ^ b, 0x01000193), 0x811c9dc5) >>> 0;
}

const WORD = (1n << 64n) - 1n;
function mixed(word) {
  let x = ((word ^ (word >> 32n)) * 0x9e3779b97f4a7c15n) & WORD;
  x = ((x ^ (x >> 29n)) * 0xd2b74407b1ce6e93n) & WORD;
  return x ^ (x >> 32n);
}

const ROWS = 0, BATCHES = 1, GROUP = 2;
const orders = new Map(), KEPT = 64;

/** The order of 0..n of an epoch: what stands at each place. */
function order(what, n, seed, phase, epoch) {
  const name = [what, n, seed, phase, epoch].join(" ");
  if (!orders.has(name)) {
    if (orders.size >= KEPT) orders.delete(orders.keys().next().value);
    orders.set(name, made(what, n, seed, phase, epoch));
  }
  return orders.get(name);
}

function made(what, n, seed, phase, epoch) {
  const bits = n > 1 ? (n - 1).toString(2).length : 0;
  const rounds = bits <= 8 ? 24 : 12, keys = [];
  for (let k = 0; k < rounds / 2; k++) {
    const [a, b, c, d] = philox([low(epoch), upper(epoch), what, k], [seed, phase]).map(BigInt);
    keys.push([(a << 32n) | b, (c << 32n) | d]);
  }
  const short = BigInt(Math.ceil(bits / 2)), below = (1n << short) - 1n, above = (1n << BigInt(bits >> 1)) - 1n;
  const through = (x) => {
    let a = x & below, b = x >> short;
    for (const [first, second] of keys) {
      a ^= mixed(b ^ first) & below;
      b ^= mixed(a ^ second) & above;
    }
    return (b << short) | a;
  };
  return (place) => {
    let x = BigInt(place);
    do x = through(x);
    while (x >= n);
    return Number(x);
  };
}

/** Batch `number` of an endless stream of epochs. */
function stream(what, n, batch, number, seed, phase) {
  if (!n) return [];
  return Array.from({ length: batch }, (_, j) => {
    const q = number * batch + j;
    return order(what, n, seed, phase, Math.floor(q / n))(q % n);
  });
}

export const rows = (n, batch, step, seed, phase) => stream(ROWS, n, batch, step, seed, phase);

/** The group whose rows a step takes, and places within it; nothing where there are no rows. */
export function grouped(lengths, batch, step, seed, phase) {
  const each = (n) => (n ? Math.max(1, Math.floor(n / Math.max(1, batch))) : 0);
  const all = lengths.reduce((sum, n) => sum + each(n), 0);
  if (!all) return null;
  const epoch = Math.floor(step / all);
  let at = order(BATCHES, all, seed, phase, epoch)(step % all), group = 0;
  for (; at >= each(lengths[group]); group++) at -= each(lengths[group]);
  const n = lengths[group];
  return [group, stream(GROUP + group, n, batch, epoch * each(n) + at, seed, phase)];
}

const range = (n, from = 0) => Array.from({ length: n }, (_, k) => from + k);

/** The rows of batch `q` along each dim, and the group that they share. `fixed`: that of the round. */
export function batch({ dims, group }, groups, q, seed, key, fixed) {
  let shared = null;
  const parts = dims.map(([dim, all, size], k) => {
    let taken;
    if (k === 0 && group) {
      const lists = [...groups.entries()].sort((a, b) => a[0] - b[0]);
      if (fixed === null && size !== null) {
        const found = grouped(lists.map(([, own]) => own.length), size, q, seed, key);
        if (found) [shared, taken] = [lists[found[0]][0], found[1].map((p) => lists[found[0]][1][p])];
      } else {
        const chosen = fixed !== null ? lists.findIndex(([value]) => value === fixed) : grouped(lists.map(() => 1), 1, q, seed, key)?.[0] ?? -1;
        if (chosen >= 0) {
          const [value, own] = lists[chosen];
          [shared, taken] = [value, size === null ? own : rows(own.length, size, q, seed, key).map((p) => own[p])];
        }
      }
    } else if (k === 0 && size !== null) {
      taken = rows(all, size, q, seed, key);
    } else if (size !== null && size < all) {
      // A window of neighbours, chosen anew in each step.
      const [window = 0] = rows(Math.floor(all / Math.max(1, size)), 1, q, seed, (key ^ hash(dim)) >>> 0);
      taken = range(size, window * size);
    } else {
      taken = range(all);
    }
    return [dim, taken ?? []];
  });
  return { shared, parts };
}
