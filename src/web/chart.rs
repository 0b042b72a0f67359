//! Figures over time as pictures inside of the page: a line for the average, a gap where nothing is known. Pure.

use crate::control::api::{HistoryView, Point, SeriesView};
use crate::core::measure::Unit;
use maud::{Markup, html};
use std::fmt::Write as _;

const WIDTH: i64 = 300;
const HEIGHT: f64 = 60.0;
/// Dots of a line at most; of more the highest of those that fall together counts.
const DOTS: i64 = 150;
/// Pictures on a page.
const MOST: usize = 12;

const FIRST: [&str; 2] = ["memory", "cpu"];
/// What is said by the unit already.
const SUFFIXES: [&str; 4] = ["_bytes", "_cores", "_ratio", "_seconds"];

pub fn charts(view: &HistoryView) -> Markup {
    // What its containers use is looked at first.
    let (first, others): (Vec<_>, Vec<_>) =
        view.series.iter().partition(|series| FIRST.iter().any(|name| series.name.starts_with(name)));
    html! { div.charts { @for series in first.into_iter().rev().chain(others).take(MOST) { (chart(series, view)) } } }
}

fn chart(series: &SeriesView, view: &HistoryView) -> Markup {
    let ratio = series.name.ends_with("_ratio") && matches!(series.unit, Unit::Count);
    let text = |value: f64| if ratio { Unit::Percent.text(value * 100.0) } else { series.unit.text(value) };
    let title = SUFFIXES.iter().find_map(|end| series.name.strip_suffix(end)).unwrap_or(&series.name);
    let title = title.replace('_', " ").replace("cpu", "CPU").replace("wal", "WAL");
    let says =
        format!("{title}: last {}, least {}, most {}", text(series.last), text(series.min), text(series.max));
    let (line, area) = paths(series, view);
    html! {
        figure {
            figcaption { (title) " " strong { (text(series.last)) } }
            svg viewBox={ "0 0 " (WIDTH) " 64" } preserveAspectRatio="none" role="img" aria-label=(says) {
                title { (says) }
                path.area d=(area) {}
                path.line d=(line) vector-effect="non-scaling-stroke" {}
            }
            p.quiet { (text(series.min)) " – " (text(series.max)) }
        }
    }
}

/// The line, and what lies under it. From 0 where figures are near it, else the least would look like nothing.
fn paths(series: &SeriesView, view: &HistoryView) -> (String, String) {
    let (mut line, mut area) = (String::new(), String::new());
    let length = view.to.saturating_sub(view.from).max(1);
    let dots = thinned(&series.points, view.from, length);
    let least = if series.min < series.max / 2.0 { 0.0 } else { series.min };
    let range = series.max - least;
    #[expect(clippy::cast_possible_truncation, reason = "0 to 62")]
    let height = |value: f64| match range {
        range if range > 0.0 => (62.0 - (value - least) / range * HEIGHT).clamp(2.0, 62.0).round() as i64,
        _ => 32,
    };
    let gap = (view.step.saturating_mul(3) / 2).max(length / DOTS * 2 + 1);
    let mut before: Option<(i64, i64)> = None;
    for (at, value) in dots {
        let x = at.saturating_sub(view.from).clamp(0, length).saturating_mul(WIDTH) / length;
        let y = height(value);
        match before {
            Some((last, _)) if at.saturating_sub(last) <= gap => {
                let _ = write!(line, "L{x} {y}");
                let _ = write!(area, "L{x} {y}");
            }
            _ => {
                if let Some((_, x)) = before {
                    let _ = write!(area, "L{x} 64Z");
                }
                // A single dot is a short line.
                let _ = write!(line, "M{x} {y}h1");
                let _ = write!(area, "M{x} 64L{x} {y}");
            }
        }
        before = Some((at, x));
    }
    if let Some((_, x)) = before {
        let _ = write!(area, "L{x} 64Z");
    }
    (line, area)
}

fn thinned(points: &[Point], from: i64, length: i64) -> Vec<(i64, f64)> {
    let mut dots: Vec<(i64, i64, f64)> = Vec::new();
    for point in points {
        let place = point.at.saturating_sub(from).clamp(0, length).saturating_mul(DOTS) / length;
        match dots.last_mut() {
            Some((last, _, most)) if *last == place => *most = most.max(point.mean),
            _ => dots.push((place, point.at, point.mean)),
        }
    }
    dots.into_iter().map(|(_, at, value)| (at, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(points: &[(i64, f64)], to: i64) -> (SeriesView, HistoryView) {
        let points = points.iter().map(|(at, mean)| Point { at: *at, mean: *mean, max: *mean }).collect();
        let series = SeriesView::of("wal_bytes".to_owned(), Unit::Bytes, points);
        (series, HistoryView { from: 0, to, step: 30, ..HistoryView::default() })
    }

    #[test]
    fn a_gap_is_no_line() {
        let (series, view) = view(&[(0, 0.0), (30, 10.0), (240, 10.0), (270, 0.0)], 300);
        let (line, area) = paths(&series, &view);
        assert_eq!(line, "M0 62h1L30 2M240 2h1L270 62");
        assert_eq!(area, "M0 64L0 62L30 2L30 64ZM240 64L240 2L270 62L270 64Z");
    }

    #[test]
    fn a_week_is_a_few_dots_and_nothing_is_a_picture_too() {
        let week: Vec<(i64, f64)> =
            (0..20_160).map(|n| (n * 30, f64::from(u16::try_from(n % 7).unwrap()))).collect();
        let (series, all) = view(&week, 604_800);
        let (line, _) = paths(&series, &all);
        assert!(line.len() < 2_000 && line.matches('M').count() == 1, "{line}");
        let (nothing, all) = view(&[], 0);
        assert_eq!(paths(&nothing, &all), (String::new(), String::new()));
        let (flat, all) = view(&[(0, 5.0), (30, 5.0)], 60);
        assert_eq!(paths(&flat, &all).0, "M0 32h1L150 32");
    }
}
