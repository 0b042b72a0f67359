//! A series as a small chart of braille characters: each has two columns of four dots. Pure.

use crate::control::api::{Point, SeriesView};
use jiff::Timestamp;

/// Lines of the chart itself.
const HEIGHT: usize = 8;
/// Dots of a character: those of its left column from the top, then those of its right one.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
const BLANK: u32 = 0x2800;

/// `from`, `to`, `step`: as in [`HistoryView`](crate::control::api::HistoryView). `width`: of the terminal. Where nothing is known
/// nothing is drawn; where several points share a column it reaches from the least average to the most.
#[must_use]
pub fn chart(series: &SeriesView, (from, to, step): (i64, i64, i64), width: usize) -> String {
    let text = |value: f64| series.unit.text(value);
    let (top, bottom) = (text(series.max), text(series.min));
    let margin = top.chars().count().max(bottom.chars().count());
    let width = width.clamp(40, 160).saturating_sub(margin + 3);
    let spans = spans(&series.points, (from, to, step), width * 2);
    let rows = drawn(&spans, series.min, series.max, width);
    let mut lines: Vec<String> = Vec::new();
    for (n, row) in rows.into_iter().enumerate() {
        let label = match n {
            // One value has one line.
            0 if top != bottom => top.as_str(),
            n if n + 1 == HEIGHT => bottom.as_str(),
            _ => "",
        };
        lines.push(format!("{label:>margin$} ┤{}", row.trim_end_matches('\u{2800}')));
    }
    let long = to - from > 86_400;
    let time = |at: i64| {
        let time = Timestamp::from_second(at).unwrap_or_default();
        time.strftime(if long { "%m-%d %H:%M" } else { "%H:%M" }).to_string()
    };
    let (first, last) = (time(from), format!("{} UTC", time(to)));
    let gap = width.saturating_sub(first.len() + last.len());
    lines.push(format!("{:margin$}  {first}{}{last}", "", " ".repeat(gap)));
    lines.into_iter().fold(String::new(), |all, line| all + line.trim_end() + "\n")
}

/// Of each column of dots, from the least average in it to the most; `None`: not known.
fn spans(points: &[Point], (from, to, step): (i64, i64, i64), columns: usize) -> Vec<Option<(f64, f64)>> {
    let mut spans: Vec<Option<(f64, f64)>> = vec![None; columns];
    let long = i128::from((to - from).max(1));
    let count = i128::try_from(columns).unwrap_or(i128::MAX);
    let column = |at: i64| i128::from(at - from) * count / long;
    for point in points {
        // Up to the next one, where that is not missing.
        let (first, last) = (column(point.at), column(point.at + step.max(1)) - 1);
        for at in first..=last.max(first).min(count - 1) {
            let Some(span) = usize::try_from(at).ok().and_then(|at| spans.get_mut(at)) else { continue };
            let (least, most) = span.unwrap_or((point.mean, point.max));
            *span = Some((least.min(point.mean), most.max(point.max)));
        }
    }
    spans
}

fn drawn(spans: &[Option<(f64, f64)>], min: f64, max: f64, width: usize) -> Vec<String> {
    let steps = HEIGHT * 4 - 1;
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let level = |value: f64| match max - min {
        range if range > 0.0 => ((value - min) / range * steps as f64).round().max(0.0) as usize,
        _ => 0,
    };
    let mut cells = vec![vec![BLANK; width]; HEIGHT];
    let mut before: Option<(usize, usize)> = None;
    for (column, span) in spans.iter().enumerate() {
        let levels = span.map(|(least, most)| (level(least), level(most).min(steps)));
        // A line from one to the next, but over no gap.
        let reached = levels.map(|(low, high)| match before {
            Some((_, under)) if low > under + 1 => (under + 1, high),
            Some((over, _)) if high + 1 < over => (low, over - 1),
            _ => (low, high),
        });
        before = levels;
        let Some((low, high)) = reached else { continue };
        for height in low..=high {
            let from_top = steps - height;
            let cell = cells.get_mut(from_top / 4).and_then(|row| row.get_mut(column / 2));
            if let (Some(cell), Some(dot)) =
                (cell, DOTS.get(column % 2).and_then(|dots| dots.get(from_top % 4)))
            {
                *cell |= dot;
            }
        }
    }
    let row = |row: Vec<u32>| row.into_iter().filter_map(char::from_u32).collect();
    cells.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::measure::Unit;

    fn series(points: Vec<Point>) -> SeriesView {
        SeriesView::of("wal_bytes".to_owned(), Unit::Bytes, points)
    }

    fn point(at: i64, mi: f64) -> Point {
        Point { at, mean: mi * 1_048_576.0, max: mi * 1_048_576.0 }
    }

    #[test]
    fn a_rise_a_gap_and_a_plateau() {
        let rise = (0..24).map(|n| point(n * 300, 16.0 + f64::from(i32::try_from(n).unwrap())));
        let plateau = (48..72).map(|n| point(n * 300, 128.0));
        let text = chart(&series(rise.chain(plateau).collect()), (0, 72 * 300, 300), 44);
        let want = "\
128Mi ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
      ┤
      ┤
      ┤
      ┤
      ┤
      ┤⠀⠀⠀⠀⠀⠀⢀⣀⡠⠤⠒⠒
 16Mi ┤⣀⠤⠤⠒⠒⠉⠁
       00:00                      06:00 UTC
";
        assert_eq!(text, want, "\n{text}");
    }

    #[test]
    fn one_value_has_one_label_and_the_width_is_bounded() {
        for width in [0, 44, 10_000] {
            let text = chart(&series(vec![point(0, 16.0)]), (0, 600, 300), width);
            assert!(text.lines().all(|line| line.chars().count() <= width.clamp(40, 160)), "{text}");
            assert_eq!(text.matches("16Mi").count(), 1, "{text}");
        }
        // An average far below its most, and times that lie outside.
        let point = |at| Point { at, mean: 0.0, max: 1.0 };
        let wide = SeriesView::of("x".to_owned(), Unit::Cores, [-900, 0, 300, 9_000].map(point).to_vec());
        let text = chart(&wide, (0, 600, 300), 40);
        let full = text.lines().filter(|line| line.contains('⣿')).count();
        assert_eq!(full, HEIGHT, "{text}");
        assert!(chart(&series(Vec::new()), (5, 5, 0), 40).lines().count() > HEIGHT);
    }
}
