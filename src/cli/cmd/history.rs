//! `seawall history`: what an object used and did over time.

use crate::cli::args::{HistoryArgs, HistoryForm};
use crate::cli::chart::chart;
use crate::cli::connect::connect;
use crate::cli::format::json_text;
use crate::cli::named::Among;
use crate::cli::out::Failure;
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::control::api::HistoryView;
use crate::core::duration::human;
use jiff::Timestamp;
use std::fmt::Write as _;
use std::io::Write;

/// Columns of a terminal that does not say how many it has.
const WIDTH: usize = 80;
const HEADER: [&str; 5] = ["METRIC", "LAST", "MIN", "MAX", "KNOWN"];

pub async fn run(cx: &mut Context, args: HistoryArgs) -> Outcome {
    let HistoryArgs { object, metric, since, output } = args;
    let api = connect(cx).await?.api;
    let object = object.find(&api, Among::Running).await?;
    let view = api.history(&object, metric.as_deref(), since.as_secs()).await?;
    if view.series.is_empty() {
        let others = match metric.is_some() {
            true => api.history(&object, None, since.as_secs()).await?.series,
            false => Vec::new(),
        };
        let names: Vec<String> = others.into_iter().map(|series| series.name).collect();
        let what = match &metric {
            Some(metric) if !names.is_empty() => format!("{object} has no series {metric}"),
            _ => format!("nothing is known of {object} in the last {}", human(since.as_secs())),
        };
        let next = match names.is_empty() {
            true => {
                "a running operator takes a sample every 30 s; see a longer time with --since 7d".to_owned()
            }
            false => format!("there are: {}", names.join(", ")),
        };
        return Err(Failure::usage(what, next));
    }
    let width = cx.environment.get("COLUMNS").and_then(|columns| columns.parse().ok()).unwrap_or(WIDTH);
    let text = match output {
        HistoryForm::Json => json_text(&view),
        HistoryForm::Csv => csv(&view),
        HistoryForm::Text if metric.is_some() => charts(&view, width),
        HistoryForm::Text => Grid::new(&HEADER, cx.out.colour).full(&rows(&view)),
    };
    write!(cx.out.stdout, "{text}")?;
    Ok(0)
}

fn time(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or_default().to_string()
}

fn charts(view: &HistoryView, width: usize) -> String {
    let mut text = String::new();
    for series in &view.series {
        let every = human(view.step.unsigned_abs());
        let _ = writeln!(text, "{} {}, every {every}", view.object, series.name);
        text += &chart(series, (view.from, view.to, view.step), width);
        let figure = |value: f64| series.unit.text(value);
        let (min, max, last) = (figure(series.min), figure(series.max), figure(series.last));
        let at = series.points.last().map(|point| time(point.at)).unwrap_or_default();
        let _ = writeln!(text, "min {min}   max {max}   last {last} at {at}");
    }
    text
}

fn rows(view: &HistoryView) -> Vec<Vec<String>> {
    let row = |series: &crate::control::api::SeriesView| {
        let figure = |value: f64| series.unit.text(value);
        let known = i64::try_from(series.points.len()).unwrap_or(i64::MAX).saturating_mul(view.step);
        vec![
            series.name.clone(),
            figure(series.last),
            figure(series.min),
            figure(series.max),
            format!("{} of {}", human(known.unsigned_abs()), human((view.to - view.from).unsigned_abs())),
        ]
    };
    view.series.iter().map(row).collect()
}

fn csv(view: &HistoryView) -> String {
    let mut text = "time,object,metric,mean,max\n".to_owned();
    for series in &view.series {
        for point in &series.points {
            let (at, name) = (time(point.at), &series.name);
            let _ = writeln!(text, "{at},{},{name},{},{}", view.object, point.mean, point.max);
        }
    }
    text
}
