//! A table in plain text.

use std::fmt::Write;

/// The table: the first columns, which are `names`, to the left, the others to the right, each as wide as its
/// widest cell.
pub fn format<R: AsRef<[String]>>(names: usize, header: &[&str], rows: &[R]) -> String {
    let rows = || rows.iter().map(AsRef::as_ref);
    let width = |column: usize| {
        let cells = rows().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|title| title.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    let header: Vec<String> = header.iter().map(|title| (*title).to_owned()).collect();
    for row in std::iter::once(header.as_slice()).chain(rows()) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // Writing to memory cannot fail.
            let _ = if column < names {
                write!(line, "{gap}{cell:<width$}")
            } else {
                write!(line, "{gap}{cell:>width$}")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text =
            format(1, &["scenario", "p50", "note"], &[row(["late", "12.5", ""]), row(["hot-key", "3", "x"])]);
        assert_eq!(text, "scenario   p50  note\nlate      12.5\nhot-key      3     x\n");
    }
}
