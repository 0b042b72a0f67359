//! How much memory and CPU an object should have, by what it used. Pure. Must never be applied by anything: it is words for a person,
//! with the figures that they rest on.

use super::api::{Advice, Verdict};
use crate::core::measure::Unit;
use crate::core::quantity::{Bytes, NanoCpus};

/// Averages of five minutes in a day: with less nobody has seen what a night or a morning takes.
pub const ENOUGH: usize = 288;
/// What is within a fifth of it is not worth a change: the next week says something else.
const CLOSE: f64 = 0.2;
/// A quarter above the worst that was seen: who is killed for want of memory loses every connection, and memory is taken all at
/// once, so the average is of no use.
const ABOVE_PEAK: f64 = 1.25;
/// What it used says little of one that was killed: it was not given more. Half again is a step that can be repeated.
const AFTER_KILL: f64 = 1.5;
/// CPU that is short costs time, and nothing dies: the busiest twentieth of the time may wait, the rest has half again.
const ABOVE_USUAL: f64 = 1.5;
const USUAL: f64 = 0.95;
/// From this part of a cap on it was held back, and what it would have used is not known.
const HELD_BACK: f64 = 0.9;

/// The next multiple, so that figures that differ a little give the same text. Finer where little more is a large part.
fn up(value: f64, steps: &[(f64, f64)]) -> f64 {
    let step =
        steps.iter().find(|(below, _)| value <= *below).or(steps.last()).map_or(1.0, |(_, step)| *step);
    (value / step).ceil().max(1.0) * step
}

const MI: f64 = 1_048_576.0;
const MEMORY: [(f64, f64); 3] =
    [(1024.0 * MI, 64.0 * MI), (8.0 * 1024.0 * MI, 256.0 * MI), (f64::INFINITY, 1024.0 * MI)];
const CPUS: [(f64, f64); 3] = [(2.0, 0.25), (8.0, 0.5), (f64::INFINITY, 1.0)];

fn verdict(now: Option<f64>, wanted: f64, must_rise: bool) -> Verdict {
    match now {
        None => Verdict::Set,
        Some(now) if must_rise && wanted > now => Verdict::Raise,
        Some(now) if (wanted - now).abs() <= now * CLOSE => Verdict::Keep,
        Some(now) if wanted > now => Verdict::Raise,
        Some(_) => Verdict::Lower,
    }
}

/// `peaks`: the most of each average, in bytes. `now`: the limit; `least`: with which it starts; `killed`: the kernel did so for want
/// of memory since it was started. `None`: nothing is known.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "below 2^53"
)]
pub fn memory(peaks: &[f64], now: Option<u64>, least: u64, killed: bool) -> Option<Advice> {
    let peak = peaks.iter().copied().reduce(f64::max)?;
    let limit = now.map(|now| now as f64);
    let (by_use, least) = (peak * ABOVE_PEAK, least as f64);
    let after_kill = limit.filter(|_| killed).map_or(0.0, |limit| limit * AFTER_KILL);
    let wanted = up(by_use.max(least).max(after_kill), &MEMORY);
    let verdict = verdict(limit, wanted, killed);
    let peak = Unit::Bytes.text(peak);
    let why = if after_kill > by_use.max(least) {
        format!("killed for want of memory: {AFTER_KILL} x the limit (peak {peak})")
    } else if least > by_use {
        format!("peak {peak}; it does not start with less than this")
    } else {
        format!("peak {peak} x {ABOVE_PEAK}")
    };
    let text = |bytes: u64| Bytes(bytes).to_string();
    Some(Advice { verdict, now: now.map(text), wanted: text(wanted as u64), why })
}

/// `means`: averages, in CPUs. `now`: the limit. `None`: nothing is known.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand CPUs")]
pub fn cpus(means: &[f64], now: Option<f64>) -> Option<Advice> {
    let mut sorted = means.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let rank = (sorted.len() as f64 * USUAL).ceil() as usize;
    let usual = *sorted.get(rank.saturating_sub(1))?;
    let held_back = now.is_some_and(|now| usual >= now * HELD_BACK);
    let wanted = up(usual * ABOVE_USUAL, &CPUS);
    let verdict = verdict(now, wanted, held_back);
    let (usual, text) =
        (Unit::Cores.text(usual), |cpus: f64| NanoCpus((cpus * 1e9).round() as u64).to_string());
    let held = if held_back { ": held back by the limit" } else { "" };
    let why = format!("95% of the time at most {usual} x {ABOVE_USUAL}{held}");
    Some(Advice { verdict, now: now.map(text), wanted: text(wanted), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_peak_and_a_quarter_unless_it_was_killed() {
        let mi = |n: f64| n * MI;
        // Peak, limit, least, killed: verdict and what is wanted, in MiB.
        let rows = [
            (100.0, Some(512), 64, false, Verdict::Lower, "128Mi"),
            (300.0, Some(512), 64, false, Verdict::Lower, "384Mi"),
            (350.0, Some(512), 64, false, Verdict::Keep, "448Mi"),
            (480.0, Some(512), 64, false, Verdict::Raise, "640Mi"),
            // A little more is wanted, and it died: that is no reason to keep it.
            (400.0, Some(512), 64, true, Verdict::Raise, "768Mi"),
            (10.0, Some(64), 64, false, Verdict::Keep, "64Mi"),
            (10.0, None, 64, false, Verdict::Set, "64Mi"),
            (10.0, None, 6, false, Verdict::Set, "64Mi"),
            (1500.0, Some(2048), 64, false, Verdict::Keep, "2Gi"),
            (9000.0, Some(4096), 64, false, Verdict::Raise, "11Gi"),
            // It used more than half again by the time of the kill.
            (1000.0, Some(512), 64, true, Verdict::Raise, "1280Mi"),
        ];
        for (peak, now, least, killed, verdict, wanted) in rows {
            let now = now.map(|now: u64| now << 20);
            let advice = memory(&[mi(1.0), mi(peak)], now, least << 20, killed).unwrap();
            assert_eq!(
                (advice.verdict, advice.wanted.as_str()),
                (verdict, wanted),
                "{peak} {now:?} {killed}"
            );
        }
        assert_eq!(memory(&[], Some(1), 1, false), None);
        let why = |peaks: &[f64], killed| memory(peaks, Some(512 << 20), 64 << 20, killed).unwrap().why;
        assert_eq!(why(&[mi(300.0)], false), "peak 300Mi x 1.25");
        assert_eq!(why(&[mi(10.0)], false), "peak 10Mi; it does not start with less than this");
        assert_eq!(why(&[mi(300.0)], true), "killed for want of memory: 1.5 x the limit (peak 300Mi)");
    }

    #[test]
    fn cpus_are_what_is_usual_and_half_again() {
        // Nineteen usual ones and a peak.
        let used = |usual: f64| {
            let mut all = vec![usual; 19];
            all.insert(3, 7.0);
            all
        };
        let rows = [
            (0.01, Some(1.0), Verdict::Lower, "0.25"),
            (0.5, Some(1.0), Verdict::Lower, "0.75"),
            (0.6, Some(1.0), Verdict::Keep, "1"),
            (0.75, Some(1.0), Verdict::Raise, "1.25"),
            (0.95, Some(1.0), Verdict::Raise, "1.5"),
            (0.2, None, Verdict::Set, "0.5"),
            (3.0, Some(4.0), Verdict::Keep, "4.5"),
            (10.0, Some(8.0), Verdict::Raise, "15"),
        ];
        for (usual, now, verdict, wanted) in rows {
            let advice = cpus(&used(usual), now).unwrap();
            assert_eq!((advice.verdict, advice.wanted.as_str()), (verdict, wanted), "{usual} {now:?}");
        }
        assert!(cpus(&used(0.95), Some(1.0)).unwrap().why.ends_with("held back by the limit"));
        assert_eq!(cpus(&[], Some(1.0)), None);
        assert_eq!(cpus(&[0.5], None).unwrap().wanted, "0.75");
    }
}
