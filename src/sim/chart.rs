//! Column charts for a terminal, eight steps a line.

use std::fmt::Write as _;

/// Lines of a chart and most columns of it.
const ROWS: usize = 8;
const COLUMNS: usize = 72;
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Joins neighbouring values until they fit the columns of a chart; `join` decides between two of them.
pub fn fold(values: &[Option<f64>], join: impl Fn(f64, f64) -> f64) -> Vec<Option<f64>> {
    let each = values.len().div_ceil(COLUMNS).max(1);
    let joined = values.chunks(each);
    joined
        .map(|some| some.iter().flatten().copied().reduce(&join))
        .collect()
}

/// A chart from `low` to `high`, with the words of the value axis (below, above) and of the other one (left, right).
pub fn columns(values: &[Option<f64>], low: f64, high: f64, scale: &[&str; 2], ends: &[&str; 2]) -> String {
    let span = (high - low).max(f64::MIN_POSITIVE);
    let eighths = |value: f64| (((value - low) / span).clamp(0.0, 1.0) * (ROWS * 8) as f64).round() as usize;
    let heights: Vec<usize> = values
        .iter()
        .map(|value| match value {
            // Something is never drawn as nothing.
            Some(value) if *value > 0.0 => eighths(*value).max(1),
            Some(_) | None => 0,
        })
        .collect();
    let width = scale.iter().map(|word| word.chars().count()).max().unwrap_or(0);
    let mut chart = String::new();
    for row in (0..ROWS).rev() {
        let word = match row {
            0 => scale[0],
            _ if row == ROWS - 1 => scale[1],
            _ => "",
        };
        let bars: String = heights
            .iter()
            .map(|height| STEPS[height.saturating_sub(row * 8).min(8)])
            .collect();
        _ = writeln!(chart, "  {word:>width$} ┤{}", bars.trim_end());
    }
    let gap = values.len().saturating_sub(ends[0].chars().count());
    _ = writeln!(chart, "  {:>width$}  {}{:>gap$}", "", ends[0], ends[1]);
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_reach_from_the_bottom_to_their_value() {
        let chart = columns(
            &[Some(0.0), Some(0.5), Some(1.0), None],
            0.0,
            1.0,
            &["0", "1"],
            &["", "x"],
        );
        let lines: Vec<&str> = chart.lines().collect();
        assert_eq!(lines[0], "  1 ┤  █");
        assert_eq!(lines[ROWS / 2], "    ┤ ██");
        assert_eq!(lines[ROWS - 1], "  0 ┤ ██");
    }

    #[test]
    fn long_runs_are_folded_to_the_worst() {
        let mut values = vec![Some(1.0); 200];
        values[101] = Some(0.5);
        let folded = fold(&values, f64::min);
        assert!(folded.len() <= COLUMNS);
        assert_eq!(folded.iter().flatten().filter(|value| **value == 0.5).count(), 1);
    }
}
