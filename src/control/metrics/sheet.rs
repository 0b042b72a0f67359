//! Series as values, and their text in Prometheus' format 0.0.4. Made anew for each answer: what is gone has no series,
//! and nothing has to be taken back.

use crate::core::metric::{Family, Histogram, Sort};
use prometheus::proto::{self, Bucket, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Result, TextEncoder};
use std::collections::BTreeMap;

/// Of a label; those are names and words of ours, or versions.
const LONGEST: usize = 200;

pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// All series of one answer, by the name of their family.
#[derive(Default)]
pub struct Sheet(BTreeMap<&'static str, MetricFamily>);

impl Sheet {
    /// A gauge or a counter. What is no number is left out.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
    pub fn count(&mut self, family: &Family, labels: Labels<'_>, value: u64) {
        self.put(family, labels, value as f64);
    }

    /// The same of any number. What is none is left out.
    pub fn put(&mut self, family: &Family, labels: Labels<'_>, value: f64) {
        if !value.is_finite() {
            return;
        }
        let mut series = series(labels);
        if family.sort == Sort::Counter {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            series.set_counter(counter);
        } else {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            series.set_gauge(gauge);
        }
        self.add(family, series);
    }

    pub fn durations(&mut self, family: &Family, labels: Labels<'_>, histogram: &Histogram) {
        let buckets = histogram.up_to().map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        let mut told = proto::Histogram::default();
        told.set_bucket(buckets.collect());
        told.set_sample_count(histogram.count());
        told.set_sample_sum(histogram.sum());
        let mut series = series(labels);
        series.set_histogram(told);
        self.add(family, series);
    }

    fn add(&mut self, family: &Family, series: Metric) {
        let Family { name, help, sort } = *family;
        let all = self.0.entry(name).or_insert_with(|| {
            let mut new = MetricFamily::default();
            new.set_name(name.to_owned());
            new.set_help(help.to_owned());
            new.set_field_type(match sort {
                Sort::Gauge => MetricType::GAUGE,
                Sort::Counter => MetricType::COUNTER,
                Sort::Histogram => MetricType::HISTOGRAM,
            });
            new
        });
        all.mut_metric().push(series);
    }

    /// # Errors
    /// When a family cannot be written, which would be a mistake of ours.
    pub fn text(self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.0.into_values().collect::<Vec<_>>())
    }
}

fn series(labels: Labels<'_>) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.chars().take(LONGEST).collect());
        pair
    });
    Metric::from_label(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const GAUGE: Family = Family::gauge("seawall_a_bytes", "Help with \\ and\na line.");
    const COUNTER: Family = Family::counter("seawall_b_total", "Counted.");
    const TOOK: Family = Family::histogram("seawall_c_seconds", "Took.");

    #[test]
    fn each_family_is_told_once_and_no_text_breaks_out_of_its_label() {
        let mut sheet = Sheet::default();
        sheet.count(&COUNTER, &[], 3);
        sheet.put(&GAUGE, &[("name", "a\"} 1\nseawall_forged 1\\")], 1.5);
        sheet.put(&GAUGE, &[("name", &"x".repeat(10_000))], 0.0);
        sheet.put(&GAUGE, &[("name", "none")], f64::NAN);
        let long = "x".repeat(LONGEST);
        let want = format!(
            "# HELP seawall_a_bytes Help with \\\\ and\\na line.\n# TYPE seawall_a_bytes gauge\n\
             seawall_a_bytes{{name=\"a\\\"}} 1\\nseawall_forged 1\\\\\"}} 1.5\n\
             seawall_a_bytes{{name=\"{long}\"}} 0\n\
             # HELP seawall_b_total Counted.\n# TYPE seawall_b_total counter\nseawall_b_total 3\n"
        );
        assert_eq!(sheet.text().unwrap(), want);
    }

    #[test]
    fn durations_are_told_by_bound_with_their_sum() {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_millis(250));
        histogram.observe(Duration::from_secs(400));
        let mut sheet = Sheet::default();
        sheet.durations(&TOOK, &[("kind", "x")], &histogram);
        let text = sheet.text().unwrap();
        for line in [
            "seawall_c_seconds_bucket{kind=\"x\",le=\"0.1\"} 0",
            "seawall_c_seconds_bucket{kind=\"x\",le=\"0.5\"} 1",
            "seawall_c_seconds_bucket{kind=\"x\",le=\"+Inf\"} 2",
            "seawall_c_seconds_sum{kind=\"x\"} 400.25",
            "seawall_c_seconds_count{kind=\"x\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
    }
}
