//! Products whose matrices are written where they are read, for each kind of vector that this machine has, against sums in f64.

use crate::cpu::call::{self, Ptr};
use crate::cpu::exec::Exec;
use crate::cpu::written::Written;
use crate::plan::Writing;

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32).map(|i| ((i.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 8) % 2000) as f32 / 1000.0 - 1.0).collect()
}

/// The head lies with its columns outermost, so that nothing is where it is written; results lie apart.
#[test]
fn written_matrices_are_what_f64_says_for_every_kind_of_vector() {
    for (matrices, numbers_of, rows, sums, columns) in
        [(2, 2, 6, 64, 32), (5, 3, 7, 65, 33), (13, 9, 12, 300, 47), (27, 17, 250, 70, 64), (50, 2, 30, 257, 95)]
    {
        let at = |n: usize| n as i64;
        let (z, head) = (numbers(matrices * numbers_of, 1), numbers(columns * numbers_of * sums, 2));
        let (x, out_row) = (numbers(matrices * rows * sums, 3), columns + 3);
        let of = Writing {
            added: None,
            z: (0, 0),
            head: (1, 0),
            x: (2, 0),
            y: (3, 0),
            matrices: (at(matrices), [at(numbers_of), at(rows * sums), at(rows * out_row)]),
            codes: (at(numbers_of), [1, at(sums)]),
            rows: (at(rows), [at(sums), at(out_row)]),
            sums: (at(sums), [1, 1]),
            columns: (at(columns), [at(numbers_of * sums), 1]),
        };
        let weight = |m: usize, i: usize, c: usize| -> f64 {
            let one = |q: usize| f64::from(z[m * numbers_of + q]) * f64::from(head[(c * numbers_of + q) * sums + i]);
            (0..numbers_of).map(one).sum()
        };
        let (mut want, mut size) = (vec![0.0f64; matrices * rows * columns], vec![0.0f64; matrices * rows * columns]);
        for m in 0..matrices {
            for c in 0..columns {
                for i in 0..sums {
                    let w = weight(m, i, c);
                    for r in 0..rows {
                        let term = f64::from(x[(m * rows + r) * sums + i]) * w;
                        want[(m * rows + r) * columns + c] += term;
                        size[(m * rows + r) * columns + c] += term.abs();
                    }
                }
            }
        }
        let mut first: Option<Vec<f32>> = None;
        for form in call::forms() {
            for room in [usize::MAX, 0] {
                let mut out = vec![9.0f32; matrices * rows * out_row];
                let ptrs = [Ptr::of_f32(&z), Ptr::of_f32(&head), Ptr::of_f32(&x), Ptr::of_f32_mut(&mut out)];
                let mut written = Written::with(of.clone(), *form);
                assert_eq!(written.lay_out(room) > 0, room > 0);
                written.pack(&ptrs, None);
                written.run(&ptrs, Exec { pool: None, threads: 1 });
                for (n, got) in out.iter().enumerate() {
                    let (row, c) = (n / out_row, n % out_row);
                    if c >= columns {
                        assert!(*got == 9.0, "{form:?}: between the rows");
                        continue;
                    }
                    let k = row * columns + c;
                    let error = (f64::from(*got) - want[k]).abs();
                    assert!(error <= 2e-6 * size[k], "{form:?} {matrices} of {sums} by {columns}: {got}, not {}", want[k]);
                }
                // Where the head lies shows in no bit.
                if room > 0 {
                    first = Some(out);
                } else {
                    assert_eq!(first.take(), Some(out));
                }
            }
        }
    }
}
