//! The assignment of least total cost (Kuhn 1955, Munkres 1957; shortest augmenting paths after Jonker and Volgenant 1987).

/// The column of each row of a square matrix, row-major, so that the sum of the chosen costs is least; O(n^3). Infinite costs
/// count as larger than any sum of finite ones, NaN as infinity. Ties: rows are assigned in order and take the lowest column.
pub fn assign(costs: &[f64], n: usize) -> Vec<usize> {
    let costs = bounded(costs, n);
    // Row and column 0 are outside the matrix; `row_of[0]` is the row that looks for a column.
    let (mut of_row, mut of_column) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut row_of = vec![0; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut reach = vec![f64::INFINITY; n + 1];
        let mut from = vec![0; n + 1];
        let mut done = vec![false; n + 1];
        let mut column = 0;
        while row_of[column] != 0 {
            done[column] = true;
            let here = row_of[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for c in 1..=n {
                if done[c] {
                    continue;
                }
                let reduced = costs[(here - 1) * n + c - 1] - of_row[here] - of_column[c];
                if reduced < reach[c] {
                    (reach[c], from[c]) = (reduced, column);
                }
                if reach[c] < step {
                    (step, next) = (reach[c], c);
                }
            }
            for c in 0..=n {
                if done[c] {
                    of_row[row_of[c]] += step;
                    of_column[c] -= step;
                } else {
                    reach[c] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[from[column]];
            column = from[column];
        }
    }
    let mut columns = vec![0; n];
    for c in 1..=n {
        columns[row_of[c] - 1] = c - 1;
    }
    columns
}

/// The costs with what is infinite put beyond every sum of what is finite.
fn bounded(costs: &[f64], n: usize) -> Vec<f64> {
    let largest = costs.iter().filter(|c| c.is_finite()).fold(0.0, |m: f64, c| m.max(c.abs()));
    let beyond = (4.0 * (n as f64 + 1.0) * (largest + 1.0)).min(1e300);
    costs.iter().map(|c| if c.is_nan() { beyond } else { c.clamp(-beyond, beyond) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(costs: &[f64], n: usize, row: usize, used: &mut Vec<usize>) -> f64 {
        if row == n {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for c in 0..n {
            if !used.contains(&c) {
                used.push(c);
                best = best.min(costs[row * n + c] + least(costs, n, row + 1, used));
                used.pop();
            }
        }
        best
    }

    #[test]
    fn the_total_is_the_least_of_all_permutations() {
        for n in 0..6usize {
            for case in 0..20u32 {
                let costs: Vec<f64> =
                    (0..n * n).map(|i| f64::from(crate::ir::random::philox([i as u32, case, 0, 0], [9, 9])[0] % 7)).collect();
                let columns = assign(&costs, n);
                let total: f64 = columns.iter().enumerate().map(|(r, c)| costs[r * n + c]).sum();
                assert_eq!(total, least(&costs, n, 0, &mut Vec::new()), "{n} {costs:?}");
            }
        }
    }

    #[test]
    fn infinite_and_missing_costs_are_avoided() {
        assert_eq!(assign(&[f64::INFINITY, 1.0, 1.0, f64::NAN], 2), [1, 0]);
        assert_eq!(assign(&[f64::NAN; 4], 2), [0, 1]);
    }
}
