//! Text in columns, as kubectl aligns it: each column as wide as its widest cell and three spaces, the last one bare.

/// kubectl's tab writer: columns are at least this wide, the gap included.
const WIDTH_MIN: usize = 6;
const GAP: usize = 3;

/// The lines of `rows`, which may differ in length.
pub(crate) fn lines(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let widest = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        (widest + GAP).max(WIDTH_MIN)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
        // A line end inside a cell would break the table.
        text.push_str(&cell.replace('\n', "\\n"));
        if at + 1 < row.len() {
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
        }
    }
    text
}

/// The widths of a grid that grows (`-w`): later rows keep the columns of the first ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Widths(Vec<usize>);

impl Widths {
    pub(crate) fn lines(&mut self, rows: &[Vec<String>]) -> Vec<String> {
        for row in rows {
            for (at, cell) in row.iter().enumerate() {
                let width = (cell.chars().count() + GAP).max(WIDTH_MIN);
                match self.0.get_mut(at) {
                    Some(known) => *known = width.max(*known),
                    None => self.0.push(width),
                }
            }
        }
        rows.iter().map(|row| line(row, &self.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["NAME", "READY", "AGE"], ["a-long-name", "1/1", "5s"], ["b", "0/1", "3d"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(lines(&rows), ["NAME          READY   AGE", "a-long-name   1/1     5s", "b             0/1     3d"]);
    }

    #[test]
    fn rows_that_come_later_keep_the_columns() {
        let mut widths = Widths::default();
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(widths.lines(&[row(&["NAME", "X"]), row(&["web-1", "y"])]), ["NAME    X", "web-1   y"]);
        assert_eq!(widths.lines(&[row(&["w", "z"])]), ["w       z"]);
    }
}
