//! Figures over time as the store keeps them: at even distances, so that no figure needs a time of its own, a gap is a place that
//! is empty, and a clock that jumps finds its places taken rather than more of them. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as TEXT;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Seconds between two samples.
pub const SAMPLE: i64 = 30;
/// Seconds that an average is over.
pub const MEAN: i64 = 300;
/// Samples in a record: those of one average.
pub const SAMPLES: usize = 10;
/// Averages in a record, four hours of them: each is written anew with every average, and each costs the store a page.
pub const MEANS: usize = 48;
/// Records of samples that are kept: two hours, and the one that is being filled.
pub const KEPT_SAMPLES: usize = 25;
/// The same of averages: seven days.
pub const KEPT_MEANS: usize = 43;

/// A figure each; `None` is not known.
pub type Row = Vec<Option<f64>>;

/// Of one object, by name of the series: the samples of one average.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(pub BTreeMap<String, Row>);

/// The same: averages and the most in each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Means(pub BTreeMap<String, (Row, Row)>);

/// Which average an instant belongs to, and where in it; seconds since 1970.
#[must_use]
pub fn place(now: i64) -> (i64, usize) {
    (now.div_euclid(MEAN), usize::try_from(now.rem_euclid(MEAN) / SAMPLE).unwrap_or_default())
}

/// Which record an average is in, and where.
#[must_use]
pub fn chunk(slot: i64) -> (i64, usize) {
    let means = i64::try_from(MEANS).unwrap_or(i64::MAX);
    (slot.div_euclid(means), usize::try_from(slot.rem_euclid(means)).unwrap_or_default())
}

/// Whether it is another figure as it is written down.
fn set(row: &mut Row, length: usize, at: usize, value: Option<f64>) -> bool {
    row.resize(length, None);
    let before = row.get_mut(at).map(|place| std::mem::replace(place, value));
    before.is_some_and(|before| code(before) != code(value))
}

impl Samples {
    /// What was there at this place is forgotten, whatever series it was of.
    pub fn put(&mut self, at: usize, figures: &BTreeMap<String, f64>) {
        for name in figures.keys() {
            self.0.entry(name.clone()).or_default();
        }
        for (name, row) in &mut self.0 {
            set(row, SAMPLES, at, figures.get(name).copied());
        }
    }

    /// Average and most of each series that was known at all.
    #[must_use]
    pub fn rolled_up(&self) -> BTreeMap<String, (f64, f64)> {
        let known = self.0.iter().filter_map(|(name, row)| Some((name.clone(), mean_and_most(row)?)));
        known.collect()
    }

    #[must_use]
    pub fn json(&self) -> Value {
        self.0.iter().map(|(name, row)| (name.clone(), pack(row))).collect::<Map<_, _>>().into()
    }

    #[must_use]
    pub fn read(body: &Value) -> Self {
        let rows = body.as_object().into_iter().flatten();
        Self(rows.map(|(name, row)| (name.clone(), unpack(row, SAMPLES))).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "ten at most")]
fn mean_and_most(row: &[Option<f64>]) -> Option<(f64, f64)> {
    let known: Vec<f64> = row.iter().flatten().copied().collect();
    let most = known.iter().copied().reduce(f64::max)?;
    Some((known.iter().sum::<f64>() / known.len() as f64, most))
}

impl Means {
    /// False: it was there already.
    pub fn put(&mut self, at: usize, figures: &BTreeMap<String, (f64, f64)>) -> bool {
        let mut changed = false;
        for name in figures.keys() {
            self.0.entry(name.clone()).or_default();
        }
        for (name, (means, most)) in &mut self.0 {
            let figure = figures.get(name);
            changed |= set(means, MEANS, at, figure.map(|(mean, _)| *mean));
            changed |= set(most, MEANS, at, figure.map(|(_, most)| *most));
        }
        changed
    }

    #[must_use]
    pub fn json(&self) -> Value {
        let rows =
            self.0.iter().map(|(name, (means, most))| (name.clone(), json!([pack(means), pack(most)])));
        rows.collect::<Map<_, _>>().into()
    }

    #[must_use]
    pub fn read(body: &Value) -> Self {
        let rows = body.as_object().into_iter().flatten();
        let both = |row: &Value| (unpack(&row[0], MEANS), unpack(&row[1], MEANS));
        Self(rows.map(|(name, row)| (name.clone(), both(row))).collect())
    }
}

/// Those that are to go, of records numbered by time. By their number, as what is old cannot be told by a clock that may have jumped:
/// those farthest from `here` go first, so that what a clock ahead of time left behind does not outlive what is true.
#[must_use]
pub fn surplus(mut numbers: Vec<i64>, here: i64, keep: usize) -> Vec<i64> {
    numbers.sort_by_key(|number| (std::cmp::Reverse(number.abs_diff(here)), *number));
    numbers.truncate(numbers.len().saturating_sub(keep));
    numbers
}

/// A figure takes two bytes: a thousand steps for each power of two, so that it is right to 0.04 %. 0: not known; 1: none; from 2 on
/// powers, the first of which is 2⁻¹⁴; the last is 2⁵¹.
const STEPS: f64 = 1000.0;
const FIRST: f64 = -14.0;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
fn code(value: Option<f64>) -> u16 {
    match value {
        Some(value) if value > 0.0 && value.is_finite() => {
            let step = ((value.log2() - FIRST) * STEPS).round();
            if step < 0.0 { 1 } else { step.min(65_533.0) as u16 + 2 }
        }
        Some(0.0) => 1,
        _ => 0,
    }
}

fn figure(step: u16) -> Option<f64> {
    match step {
        0 => None,
        1 => Some(0.0),
        _ => {
            let value = (f64::from(step - 2) / STEPS + FIRST).exp2();
            // Small numbers are most often counts.
            let whole = value.round();
            Some(if whole < 1000.0 && code(Some(whole)) == step { whole } else { value })
        }
    }
}

/// As text; what the last figure repeats is left out.
fn pack(row: &[Option<f64>]) -> Value {
    let mut codes: Vec<u16> = row.iter().map(|value| code(*value)).collect();
    while codes.len() > 1 && codes.last() == codes.get(codes.len() - 2) {
        codes.pop();
    }
    TEXT.encode(codes.into_iter().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).into()
}

/// What is not such a text is not known.
fn unpack(text: &Value, length: usize) -> Row {
    let bytes = text.as_str().and_then(|text| TEXT.decode(text).ok()).unwrap_or_default();
    let codes = bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    let mut row: Row = codes.take(length).map(figure).collect();
    row.resize(length, row.last().copied().flatten());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(figures: &[(&str, f64)]) -> BTreeMap<String, f64> {
        figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn figures_are_right_to_a_few_in_ten_thousand_and_small_counts_are_exact() {
        for count in 0..1000_u16 {
            assert_eq!(figure(code(Some(count.into()))), Some(count.into()));
        }
        for value in [0.0002, 0.013, 0.25, 3.7, 134_217_728.0, 1.5e12, 2.0e15] {
            let read = figure(code(Some(value))).unwrap();
            assert!((read - value).abs() < value * 0.0004, "{value} {read}");
        }
        // Below what is told apart it is none; above, the most that there is.
        assert_eq!(figure(code(Some(1e-9))), Some(0.0));
        assert!(figure(code(Some(1e30))).unwrap() > 2.0e15);
        for none in [None, Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(figure(code(none)), None, "{none:?}");
        }
    }

    #[test]
    fn what_was_read_is_written_as_it_was() {
        for step in 0..=u16::MAX {
            assert_eq!(code(figure(step)), step);
        }
    }

    #[test]
    fn what_is_written_is_what_is_read_and_what_repeats_costs_nothing() {
        for row in [
            vec![None; SAMPLES],
            vec![Some(0.0); SAMPLES],
            vec![Some(5.0), None, Some(0.0), Some(7.0), None, None, None, None, None, None],
            (0..10_u8).map(|n| Some(n.into())).collect(),
        ] {
            assert_eq!(unpack(&pack(&row), SAMPLES), row);
        }
        assert_eq!(pack(&vec![Some(3.0); MEANS]).as_str().unwrap().len(), 3);
        for broken in [json!(null), json!(7), json!("ä"), json!("A")] {
            assert_eq!(unpack(&broken, 3), vec![None; 3], "{broken}");
        }
        // More than there can be is not taken.
        assert_eq!(unpack(&pack(&(0..200).map(|n| Some(n.into())).collect::<Row>()), 3).len(), 3);
    }

    #[test]
    fn samples_have_their_places_and_averages_are_of_what_is_known() {
        let mut samples = Samples::default();
        samples.put(0, &known(&[("a", 2.0)]));
        samples.put(9, &known(&[("a", 4.0), ("b", 1.0)]));
        let want = BTreeMap::from([("a".to_owned(), (3.0, 4.0)), ("b".to_owned(), (1.0, 1.0))]);
        assert_eq!(samples.rolled_up(), want);
        assert_eq!(Samples::read(&samples.json()), samples);
        // The clock went back: the later sample has the place.
        samples.put(9, &known(&[("b", 3.0)]));
        assert_eq!((samples.0["a"][9], samples.0["b"][9]), (None, Some(3.0)));
        let mut means = Means::default();
        assert!(means.put(47, &want));
        assert!(!Means::read(&means.json()).put(47, &want), "it was there");
        assert_eq!(means.0["a"].0[47], Some(3.0));
        assert_eq!(Samples::default().rolled_up(), BTreeMap::new());
    }

    #[test]
    fn instants_have_one_place_each_also_before_1970() {
        for (now, at) in
            [(0, (0, 0)), (29, (0, 0)), (30, (0, 1)), (299, (0, 9)), (300, (1, 0)), (-1, (-1, 9))]
        {
            assert_eq!(place(now), at, "{now}");
        }
        for (slot, at) in [(0, (0, 0)), (47, (0, 47)), (48, (1, 0)), (-1, (-1, 47))] {
            assert_eq!(chunk(slot), at, "{slot}");
        }
    }

    #[test]
    fn those_farthest_away_go_and_never_more_than_there_are_too_many() {
        assert_eq!(surplus(vec![1, 2, 3], 3, 3), Vec::<i64>::new());
        assert_eq!(surplus(vec![1, 2, 3, 4], 4, 3), [1]);
        // Left behind by a clock that was ahead.
        assert_eq!(surplus(vec![1, 2, 3, 900], 3, 3), [900]);
        // The clock is ahead now: one goes for each that comes.
        assert_eq!(surplus(vec![1, 2, 3, 900], 900, 3), [1]);
        assert_eq!(surplus(vec![5], 5, 0), [5]);
    }
}
