//! Plain tables: columns as wide as their longest cell.

/// Rows under a head; the first `left` columns are aligned left, the others right.
pub fn table(head: &[&str], rows: &[Vec<String>], left: usize) -> String {
    let count = |s: &str| s.chars().count();
    let width = |c: usize| rows.iter().map(|r| count(&r[c])).chain([count(head[c])]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .enumerate()
            .map(|(i, (cell, w))| if i < left { format!("{cell:<w$}") } else { format!("{cell:>w$}") })
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut out = line(&mut head.iter().copied());
    let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
    out.push_str(&format!("{}\n", "─".repeat(total)));
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

/// A number in at most nine characters: `0.1234`, `-1.5e-7`, `NaN`.
pub fn short(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return format!("{v}");
    }
    if v.abs() >= 1e6 || v.abs() < 1e-4 {
        return format!("{v:.2e}");
    }
    if v.fract() == 0.0 {
        return format!("{v}");
    }
    let digits = if v.abs() >= 100.0 { 2 } else { 4 };
    format!("{v:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let text = table(&["name", "mean"], &[vec!["a".into(), "1".into()], vec!["longer".into(), "-0.25".into()]], 1);
        assert_eq!(text, "name     mean\n─────────────\na           1\nlonger  -0.25\n");
        assert_eq!([short(0.1), short(-12345678.0), short(3.0), short(1e-9)], ["0.1000", "-1.23e7", "3", "1.00e-9"]);
    }
}
