//! The one place with `unsafe`: memory that compiled code shares, calls into it, and calls into the GEMM library.
//!
//! What makes it sound: every buffer is a stretch of memory that the engine keeps alive and in place while a plan runs ([`Memory`]);
//! compiled kernels stay inside the buffers because the planner derives every address from the shapes for which the buffers were
//! made; what Rust code reads and writes goes through slices whose bounds are checked here, and a step never writes a buffer that it reads.
#![allow(unsafe_code)]

mod named;

pub(super) use named::{down_symbols, row_symbols, taken_symbols, whole_symbols};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::wide;
#[cfg(target_arch = "x86_64")]
use super::width::vectors;
use super::{apply, dots, micro, panel, shallow, softmax, strip, sweep, thin};
#[cfg(target_arch = "x86_64")]
use super::{spread, stretches};
use cranelift_jit::JITModule;
use cranelift_module::FuncId;

/// The address of a buffer, or of a place in one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(transparent)]
pub(super) struct Ptr(*mut u8);

// SAFETY: an address by itself does nothing; who reads and writes where is ordered by the executor.
unsafe impl Send for Ptr {}
// SAFETY: as above.
unsafe impl Sync for Ptr {}

impl Ptr {
    pub fn null() -> Ptr {
        Ptr(std::ptr::dangling_mut::<[u32; 16]>().cast())
    }

    pub fn of_words(words: &mut [u32]) -> Ptr {
        Ptr(words.as_mut_ptr().cast())
    }

    /// Of scratch memory: each thread writes its own part of it, and nobody reads it otherwise.
    pub fn of_scratch(words: &[u32]) -> Ptr {
        Ptr(words.as_ptr().cast_mut().cast())
    }

    /// Of memory that is read only; the plan never writes a source.
    pub fn of_f32(words: &[f32]) -> Ptr {
        Ptr(words.as_ptr().cast_mut().cast())
    }

    /// As [`Ptr::of_f32`].
    pub fn of_i32(words: &[i32]) -> Ptr {
        Ptr(words.as_ptr().cast_mut().cast())
    }

    pub fn of_f32_mut(words: &mut [f32]) -> Ptr {
        Ptr(words.as_mut_ptr().cast())
    }

    pub fn of_i32_mut(words: &mut [i32]) -> Ptr {
        Ptr(words.as_mut_ptr().cast())
    }

    /// As a number, to tell places apart.
    pub fn address(self) -> usize {
        self.0.addr()
    }

    /// Moved by so many elements. The result may lie outside, as long as nobody reads there.
    pub fn moved(self, elements: i64) -> Ptr {
        Ptr(self.0.wrapping_offset(elements as isize * 4))
    }
}

/// Elements of a buffer as a slice; `T` is f32, i32 or u32.
///
/// The caller names a stretch inside one live buffer, and nobody writes it meanwhile.
pub(super) fn slice<'a, T: Word>(at: Ptr, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: stretches come from the layout, are inside live memory and aligned to four bytes; all bit patterns are valid words.
    unsafe { std::slice::from_raw_parts(at.0.cast(), len) }
}

/// As [`slice`], to write. The caller is the only one that uses this stretch.
pub(super) fn slice_mut<'a, T: Word>(at: Ptr, len: usize) -> &'a mut [T] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: as in `slice`; a step writes only its own result, and no other step runs on it at the same time.
    unsafe { std::slice::from_raw_parts_mut(at.0.cast(), len) }
}

/// Four bytes, any of whose bit patterns are a value.
pub(super) trait Word: Copy {}
impl Word for f32 {}
impl Word for i32 {}
impl Word for u32 {}

/// A compiled kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(*const u8);

// SAFETY: code is not written after it was finalised.
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

impl Code {
    /// Runs part [start, end) of the first loop.
    pub fn call(self, table: &[Ptr], sizes: &[i64], start: i64, end: i64) {
        type Entry = extern "C" fn(*const Ptr, *const i64, i64, i64);
        // SAFETY: the address is of a finalised function with this signature (`gen::signature`), in memory that `Jit` keeps; `Ptr` is
        // one pointer wide and the tables are as long as the kernel's `Made` says.
        let f: Entry = unsafe { std::mem::transmute(self.0) };
        f(table.as_ptr(), sizes.as_ptr(), start, end);
    }
}

/// Owns compiled code.
pub(super) struct Jit(Option<JITModule>);

impl Jit {
    pub fn new(module: JITModule) -> Jit {
        Jit(Some(module))
    }

    pub fn code(&self, id: FuncId) -> Code {
        Code(self.0.as_ref().map_or(std::ptr::null(), |m| m.get_finalized_function(id)))
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: who holds addresses into this code (`Running`) keeps the program that owns it.
            unsafe { module.free_memory() };
        }
    }
}

/// Whether the machine has vectors for functions of rows.
pub(super) fn has_rows() -> bool {
    #[cfg(target_arch = "x86_64")]
    return vectors().0;
    #[cfg(target_arch = "aarch64")]
    return true;
    #[allow(unreachable_code, reason = "of other machines")]
    false
}

/// A function of a stretch of elements; not where there are no wide vectors.
pub(super) fn apply(of: &mut apply::Stretch) {
    #[cfg(target_arch = "x86_64")]
    {
        let (fma, wider) = vectors();
        assert!(fma, "nobody asked whether there are rows");
        // SAFETY: the processor has the features.
        unsafe { if wider { wide::applied::avx512(of) } else { wide::applied::avx2(of) } };
        clean();
    }
    #[cfg(target_arch = "aarch64")]
    wide::applied::neon(of);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = of;
}

/// A strided matrix: where it starts, its row and its column stride.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix {
    pub at: Ptr,
    pub row: i64,
    pub col: i64,
}

/// Last element that a matrix reaches, from its start.
fn span(m: &Matrix, rows: usize, cols: usize) -> usize {
    (rows.saturating_sub(1) as i64 * m.row + cols.saturating_sub(1) as i64 * m.col + 1) as usize
}

/// `out = a b`, or `out += a b`; m, n and k are not 0. Strides may be negative: a start is where the first element lies.
pub(super) fn gemm(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), add: bool, threads: usize) {
    let parallel = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    // SAFETY: the matrices lie inside live buffers (their extents come from the plan's shapes); `out` is no part of `a` or `b`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.at.0.cast::<f32>(),
            out.col as isize,
            out.row as isize,
            add,
            a.at.0.cast::<f32>(),
            a.col as isize,
            a.row as isize,
            b.at.0.cast::<f32>(),
            b.col as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallel,
        );
    }
    clean();
}

/// The kernel for the widest vectors that the processor has.
macro_rules! widest {
    ($module:ident: $avx512:ident, $avx2:ident, $plain:ident ($($arg:expr),*)) => {{
        #[cfg(target_arch = "x86_64")]
        {
            let (fma, wider) = vectors();
            if fma {
                // SAFETY: the processor has the features.
                unsafe { if wider { $module::$avx512($($arg),*) } else { $module::$avx2($($arg),*) } };
                return clean();
            }
        }
        $module::$plain($($arg),*);
    }};
}

/// Few rows times a matrix whose rows lie side by side: own kernels. `out.col`, `a.col` and `b.col` are 1.
pub(super) fn rows(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), add: bool) {
    let (av, bv) = (slice::<f32>(a.at, span(&a, m, k)), slice::<f32>(b.at, span(&b, k, n)));
    let ov = slice_mut::<f32>(out.at, span(&out, m, n));
    let shape = micro::Shape { m, n, k, a_row: a.row as usize, b_row: b.row as usize, out_row: out.row as usize, add };
    if m == 1 && k <= micro::SHORT {
        // The smallest models do little else: less code takes less time to enter.
        widest!(micro: row_avx512, row_avx2, row_plain(&shape, av, bv, ov));
        return;
    }
    widest!(micro: rows_avx512, rows_avx2, rows_plain(&shape, av, bv, ov));
}

/// As [`rows`], where the matrix is large.
pub(super) fn swept(out: Matrix, a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize)) {
    let (av, bv) = (slice::<f32>(a.at, span(&a, m, k)), slice::<f32>(b.at, span(&b, k, n)));
    let ov = slice_mut::<f32>(out.at, span(&out, m, n));
    let shape = micro::Shape { m, n, k, a_row: a.row as usize, b_row: b.row as usize, out_row: out.row as usize, add: false };
    widest!(sweep: sweep_avx512, sweep_avx2, sweep_plain(&shape, av, bv, ov));
}

/// Each row of `a` times the vector at `b`: both run along memory (`a.col` is 1). `out` has the stride `out.row`.
pub(super) fn dots(out: Matrix, a: Matrix, b: Ptr, m: usize, k: usize, add: bool) {
    let (av, bv) = (slice::<f32>(a.at, span(&a, m, k)), slice::<f32>(b, k));
    let ov = slice_mut::<f32>(out.at, span(&out, m, 1));
    let shape = dots::Shape { m, k, a_row: a.row as usize, out_row: out.row as usize, add };
    widest!(dots: dots_avx512, dots_avx2, dots_plain(&shape, av, bv, ov));
}

/// Rows that lie along memory (`a.col` is 1) times columns that lie one after the other.
pub(super) fn thin(out: Matrix, a: Matrix, columns: &[f32], (m, n, k): (usize, usize, usize), add: bool) {
    let (av, ov) = (slice::<f32>(a.at, span(&a, m, k)), slice_mut::<f32>(out.at, span(&out, m, n)));
    let shape = thin::Shape { m, n, k, a_row: a.row as usize, out_row: out.row as usize, out_col: out.col as usize, add };
    widest!(thin: thin_avx512, thin_avx2, thin_plain(&shape, av, columns, ov));
}

/// Rows of few terms (`a`) times a matrix of as many rows (`b.col` is 1): rows that lie one after the other in `out`.
pub(super) fn shallow(a: Matrix, b: Matrix, (m, n, k): (usize, usize, usize), out: &mut [f32]) {
    let (av, bv) = (slice::<f32>(a.at, span(&a, m, k)), slice::<f32>(b.at, span(&b, k, n)));
    let (a_row, a_term, b_row) = (a.row as usize, a.col as usize, b.row as usize);
    let shape = shallow::Shape { columns: n, terms: k, a_row, a_term, b_row };
    widest!(shallow: shallow_avx512, shallow_avx2, shallow_plain(&shape, av, bv, out));
}

/// Sums over taps, in registers.
pub(super) fn strip(s: &strip::Strip, out: &mut [[f32; strip::WIDE]; strip::HIGH]) {
    widest!(strip: strip_avx512, strip_avx2, strip_plain(s, out));
}

/// Shares of the first `own` elements of a row, scaled; those up to `all` become 0.
pub(super) fn softmax(row: &mut [f32], own: usize, all: usize, scale: f32) {
    widest!(softmax: softmax_avx512, softmax_avx2, softmax_plain(row, own, all, scale));
}

/// The kinds of panels that this processor has kernels for, the best first.
pub(super) fn forms() -> &'static [panel::Form] {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! kernel {
            ($module:ident::$name:ident) => {
                |part| {
                    // SAFETY: it is named below, where the processor has the features.
                    unsafe { $module::$name(part) };
                    clean();
                }
            };
        }
        // With 32 registers, 24 hold sums; with 16, 12 do.
        const AVX512: panel::Form = panel::Form {
            wide: panel::WIDE,
            high: panel::HIGH,
            kernel: kernel!(panel::group_avx512),
            write: kernel!(panel::sheets_avx512),
            fill: kernel!(spread::fill_avx512),
            stretches: kernel!(stretches::group_avx512),
        };
        const AVX2: panel::Form = panel::Form {
            wide: 16,
            high: 6,
            kernel: kernel!(panel::group_avx2),
            write: kernel!(panel::sheets_avx2),
            fill: kernel!(spread::fill_avx2),
            stretches: kernel!(stretches::group_avx2),
        };
        const ALL: [panel::Form; 3] = [AVX512, AVX2, panel::BASE];
        match vectors() {
            (true, true) => return &ALL,
            (true, false) => return &ALL[1..],
            (false, _) => {}
        }
    }
    &[panel::BASE]
}

/// Clears the upper halves of vector registers, which would slow compiled code down many times over.
pub(super) fn clean() {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: the processor has the feature; no vector value lives across this call.
        unsafe { core::arch::x86_64::_mm256_zeroupper() };
    }
}
