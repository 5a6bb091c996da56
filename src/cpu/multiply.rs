//! One matrix product with its sizes and strides known: which kernel computes it.

use super::call::{self, Matrix, Ptr};
use super::thin::TOGETHER;
use crate::plan::measured::cpu;

/// How much of a long sum the library makes at a time.
const STRETCH: usize = 128;
/// More parts than this are not summed in f32, one after the other.
const PARTS: usize = 64;

/// What computes a product, as somebody has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    /// What suits its shape.
    #[default]
    Shape,
    /// A kernel of our own wherever one can.
    Own,
    Library,
}

/// How a product is computed: on how many threads, and by what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doing {
    pub threads: usize,
    pub by: By,
}

impl From<usize> for Doing {
    fn from(threads: usize) -> Doing {
        Doing { threads, by: By::Shape }
    }
}

/// `out = Σ a b`, the matrices moved to each of `places`.
#[inline(always)]
pub(super) fn summed(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), places: &[(i64, i64)], doing: Doing) {
    // Most products, and many of them small: nothing but the kernel.
    if let [(0, 0)] = places
        && k <= cpu::F32_TERMS
    {
        multiply(out, a, b, (m, n, k), false, doing);
    } else {
        summed_apart(out, a, b, (m, n, k), places, doing);
    }
}

/// As [`summed`], for sums in several places, and long ones.
#[inline(never)]
fn summed_apart(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), places: &[(i64, i64)], doing: Doing) {
    let at = |x: Matrix, by: i64| Matrix { at: x.at.moved(by), ..x };
    // The own kernels keep the digits of any length.
    let long = k > cpu::F32_TERMS && (places.len() > 1 || is_library(&out, &a, &b, (m, n, k), doing.by));
    if places.len() <= PARTS && !long {
        for (part, (x, y)) in places.iter().enumerate() {
            multiply(out, at(a, *x), at(b, *y), (m, n, k), part > 0, doing);
        }
        return;
    }
    let rows = (cpu::SUMMED_TILE / n.max(1)).clamp(1, m.max(1));
    let mut part = vec![0.0f32; rows * n];
    let mut sums = vec![0.0f64; rows * n];
    for row in (0..m).step_by(rows) {
        let rows = rows.min(m - row);
        sums.fill(0.0);
        let to = Matrix { at: Ptr::of_f32_mut(&mut part), row: n as i64, col: 1 };
        for (x, y) in places {
            for from in (0..k).step_by(STRETCH) {
                let x = at(a, x + row as i64 * a.row + from as i64 * a.col);
                let y = at(b, y + from as i64 * b.row);
                multiply(to, x, y, (rows, n, STRETCH.min(k - from)), false, doing);
                let made = call::slice::<f32>(to.at, rows * n);
                sums.iter_mut().zip(made).for_each(|(s, p)| *s += f64::from(*p));
            }
        }
        for (i, sums) in sums.chunks_exact(n).take(rows).enumerate() {
            for (j, s) in sums.iter().enumerate() {
                let place = out.at.moved((row + i) as i64 * out.row + j as i64 * out.col);
                call::slice_mut::<f32>(place, 1)[0] = *s as f32;
            }
        }
    }
}

/// What computes a product.
#[derive(Clone, Copy, PartialEq)]
enum Kernel {
    /// Rows of `a` times the one column of `b`.
    Dots,
    /// The one row of `a` times columns of `b` that lie along memory.
    Columns,
    /// Few rows.
    Rows,
    /// Few rows and a large matrix.
    Swept,
    /// Few columns, and rows that lie along memory.
    Thin,
    /// Few rows, and columns that lie along memory.
    Flat,
    Library,
}

/// A result that runs along its rows is computed as the transposed product.
fn is_turned(out: &Matrix, a: &Matrix, (m, n): (usize, usize)) -> bool {
    (out.col != 1 && out.row == 1 && n > 1) || (n == 1 && m > 1 && out.row == 1 && a.row == 1)
}

/// The kernel that suits the shape, unless somebody has it otherwise.
#[inline(always)]
fn kernel(out: &Matrix, a: &Matrix, b: &Matrix, (m, n, k): (usize, usize, usize), by: By) -> Kernel {
    let along = (n == 1 || (out.col == 1 && b.col == 1)) && (k == 1 || a.col == 1);
    // The own kernels read slices forwards; an axis that runs backwards is the library's.
    if by == By::Library || [out, a, b].iter().any(|x| x.row < 0 || x.col < 0) {
        Kernel::Library
    } else if n == 1 && a.col == 1 && b.row == 1 {
        Kernel::Dots
    } else if m == 1 && a.col == 1 && b.row == 1 {
        Kernel::Columns
    } else if along
        && m <= cpu::SWEPT_ROWS
        && cpu::SWEPT_TERMS * m <= k
        && n > 1
        && k * n > cpu::SWEPT_FROM
        && k <= cpu::F32_TERMS
    {
        Kernel::Swept
    } else if along && (m <= cpu::ROWS_FEW || m * n * k <= cpu::ROWS_SMALL) {
        Kernel::Rows
    } else if n <= cpu::THIN_COLUMNS && m > n && a.col == 1 && cpu::THIN_TERMS.contains(&k) {
        Kernel::Thin
    } else if m <= cpu::THIN_COLUMNS && b.row == 1 && cpu::THIN_TERMS.contains(&k) {
        Kernel::Flat
    } else if by == By::Own && along && n > 1 {
        Kernel::Rows
    } else {
        Kernel::Library
    }
}

fn turned(x: Matrix) -> Matrix {
    Matrix { at: x.at, row: x.col, col: x.row }
}

/// `out = a b`.
#[inline(always)]
fn multiply(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), add: bool, doing: Doing) {
    if is_turned(&out, &a, (m, n)) {
        return multiply_rows(turned(out), turned(b), turned(a), (n, m, k), add, doing);
    }
    multiply_rows(out, a, b, (m, n, k), add, doing);
}

#[inline(always)]
fn multiply_rows(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), add: bool, Doing { threads, by }: Doing) {
    let threads = if m * n * k < cpu::PRODUCT_SPLITS_FROM { 1 } else { threads };
    match kernel(&out, &a, &b, (m, n, k), by) {
        Kernel::Dots => call::dots(out, a, b.at, m, k, add),
        Kernel::Columns => {
            let columns = Matrix { at: b.at, row: b.col, col: 1 };
            call::dots(Matrix { at: out.at, row: out.col, col: 1 }, columns, a.at, n, k, add);
        }
        Kernel::Rows => call::rows(out, a, b, (m, n, k), add),
        Kernel::Swept if threads == 1 && !add => call::swept(out, a, b, (m, n, k)),
        Kernel::Swept => swept_apart(out, a, b, (m, n, k), add, threads),
        Kernel::Thin => thin(out, a, b, (m, n, k), add, threads),
        Kernel::Flat => thin(turned(out), turned(b), turned(a), (n, m, k), add, threads),
        Kernel::Library => {
            let backwards = [out, a, b].iter().any(|x| x.row < 0 || x.col < 0);
            call::gemm(out, a, b, (m, n, k), add, if backwards { 1 } else { threads });
        }
    }
}

/// A product with few columns: they are laid out one after the other, and threads take rows.
#[inline(never)]
fn thin(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), add: bool, threads: usize) {
    let mut columns = vec![0.0f32; n.next_multiple_of(TOGETHER) * k];
    for (j, column) in columns.chunks_exact_mut(k).take(n).enumerate() {
        let at = b.at.moved(j as i64 * b.col);
        if b.row == 1 {
            column.copy_from_slice(call::slice(at, k));
        } else {
            column.iter_mut().enumerate().for_each(|(i, x)| *x = call::slice::<f32>(at.moved(i as i64 * b.row), 1)[0]);
        }
    }
    if threads == 1 {
        return call::thin(out, a, &columns, (m, n, k), add);
    }
    let (columns, high) = (&columns, m.div_ceil(threads));
    let mut parts: Vec<Vec<f32>> = (0..m).step_by(high).map(|first| vec![0.0f32; high.min(m - first) * n]).collect();
    rayon::scope(|s| {
        for (p, part) in parts.iter_mut().enumerate() {
            s.spawn(move |_| {
                call::clean();
                let (at, rows) = (a.at.moved((p * high) as i64 * a.row), part.len() / n);
                let to = Matrix { at: Ptr::of_f32_mut(part), row: n as i64, col: 1 };
                call::thin(to, Matrix { at, ..a }, columns, (rows, n, k), false);
            });
        }
    });
    for (i, row) in parts.iter().flat_map(|part| part.chunks_exact(n)).enumerate() {
        for (j, x) in row.iter().enumerate() {
            let to = &mut call::slice_mut::<f32>(out.at.moved(i as i64 * out.row + j as i64 * out.col), 1)[0];
            *to = if add { *to + x } else { *x };
        }
    }
}

/// A product whose columns several threads take, or that is added to what is there: a sum is whole before it is. Each thread writes memory of
/// its own, as the columns of a result lie between one another.
#[inline(never)]
fn swept_apart(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), add: bool, threads: usize) {
    let wide = n.div_ceil(threads).next_multiple_of(16);
    let mut parts: Vec<Vec<f32>> = (0..n.div_ceil(wide)).map(|p| vec![0.0f32; m * wide.min(n - p * wide)]).collect();
    rayon::scope(|s| {
        for (p, part) in parts.iter_mut().enumerate() {
            s.spawn(move |_| {
                call::clean();
                let columns = part.len() / m;
                let to = Matrix { at: Ptr::of_f32_mut(part), row: columns as i64, col: 1 };
                call::swept(to, a, Matrix { at: b.at.moved((p * wide) as i64), ..b }, (m, columns, k));
            });
        }
    });
    for (p, part) in parts.iter().enumerate() {
        for (i, row) in part.chunks_exact(part.len() / m).enumerate() {
            let at = out.at.moved(i as i64 * out.row + (p * wide) as i64);
            let to = call::slice_mut::<f32>(at, row.len());
            to.iter_mut().zip(row).for_each(|(t, x)| *t = if add { *t + x } else { *x });
        }
    }
}

/// A product that the kernel of few rows computes: its matrices, turned where the result is, without their places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Few {
    turned: bool,
    out: Matrix,
    a: Matrix,
    b: Matrix,
    shape: (usize, usize, usize),
}

impl Few {
    /// `None`: something else computes it, or it is no sum of f32.
    pub fn of(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), by: By) -> Option<Few> {
        let turns = is_turned(&out, &a, (m, n));
        let made = match turns {
            true => Few { turned: true, out: turned(out), a: turned(b), b: turned(a), shape: (n, m, k) },
            false => Few { turned: false, out, a, b, shape: (m, n, k) },
        };
        let rows = kernel(&made.out, &made.a, &made.b, made.shape, by) == Kernel::Rows;
        (rows && k <= cpu::F32_TERMS && m * n * k > 0).then_some(made)
    }

    /// `out = a b`, where these begin there.
    pub fn multiply(&self, out: Ptr, a: Ptr, b: Ptr) {
        let (a, b) = if self.turned { (b, a) } else { (a, b) };
        call::rows(Matrix { at: out, ..self.out }, Matrix { at: a, ..self.a }, Matrix { at: b, ..self.b }, self.shape, false);
    }
}

/// Whether the library computes this product.
pub(super) fn is_library(out: &Matrix, a: &Matrix, b: &Matrix, (m, n, k): (usize, usize, usize), by: By) -> bool {
    let chosen = match is_turned(out, a, (m, n)) {
        true => kernel(&turned(*out), &turned(*b), &turned(*a), (n, m, k), by),
        false => kernel(out, a, b, (m, n, k), by),
    };
    chosen == Kernel::Library
}
