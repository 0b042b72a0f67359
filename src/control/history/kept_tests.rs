//! Tables of what is kept over time: bounds, gaps, clocks that jump.

use super::*;
use crate::store::MemoryStore;

/// Some instant at the begin of a record of averages.
const NOON: i64 = 1_760_000_000 - 1_760_000_000 % 14_400;
const DAY: i64 = 86_400;

struct Kept(MemoryStore);

impl Kept {
    fn new() -> Self {
        Self(MemoryStore::new())
    }

    async fn put(&self, now: i64, value: f64) {
        let figures = BTreeMap::from([("a".to_owned(), value), ("b".to_owned(), 2.0 * value)]);
        self.0.commit(with(&self.0, "u", now, &figures)).await.unwrap();
    }

    /// One sample each 30 s, as many as the time is long.
    async fn fill(&self, from: i64, seconds: i64, value: f64) {
        for n in 0..seconds / SAMPLE {
            self.put(from + n * SAMPLE, value).await;
        }
    }

    /// Records of samples and of averages.
    fn records(&self) -> (usize, usize) {
        (samples(&self.0, "u").len(), means(&self.0, "u").len())
    }

    fn points(&self, from: i64, to: i64) -> Vec<Point> {
        points(&self.0, "u", from, to).remove("a").unwrap_or_default()
    }
}

fn values(points: &[Point]) -> Vec<(i64, f64, f64)> {
    points.iter().map(|point| (point.at - NOON, point.mean, point.max)).collect()
}

#[tokio::test]
async fn samples_become_averages_and_both_are_bounded() {
    let kept = Kept::new();
    kept.put(NOON, 1.0).await;
    kept.put(NOON + 299, 3.0).await;
    // Shown as samples for two hours back, and as an average, which is not written yet, beyond.
    assert_eq!(values(&kept.points(NOON, NOON + 600)), [(0, 1.0, 1.0), (270, 3.0, 3.0)]);
    assert_eq!(values(&kept.points(NOON - DAY, NOON + 600)), [(0, 2.0, 3.0)]);
    assert_eq!(kept.records(), (1, 0));
    kept.put(NOON + 300, 5.0).await;
    assert_eq!(kept.records(), (2, 1));
    assert_eq!(values(&kept.points(NOON - DAY, NOON + 600)), [(0, 2.0, 3.0), (300, 5.0, 5.0)]);
    kept.fill(NOON + 330, 9 * DAY, 7.0).await;
    let end = NOON + 330 + 9 * DAY;
    assert_eq!(kept.records(), (KEPT_SAMPLES, KEPT_MEANS));
    assert_eq!(kept.points(end - 7 * DAY, end).len(), 7 * 288);
    assert_eq!(kept.points(end - FINE, end).len(), 240);
    assert!(kept.points(NOON, NOON + DAY).is_empty(), "it is gone");
}

#[tokio::test]
async fn what_was_not_known_is_a_gap() {
    let kept = Kept::new();
    kept.fill(NOON, 600, 1.0).await;
    // Seawall, or the object, was away for a day.
    kept.fill(NOON + DAY, 600, 2.0).await;
    let all = kept.points(NOON, NOON + 2 * DAY);
    assert_eq!(values(&all).iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [0, 300, DAY, DAY + 300]);
    // A series that begins later has no figures before.
    let figures = BTreeMap::from([("new".to_owned(), 0.0)]);
    kept.0.commit(with(&kept.0, "u", NOON + DAY + 630, &figures)).await.unwrap();
    kept.put(NOON + DAY + 900, 1.0).await;
    let new = points(&kept.0, "u", NOON, NOON + 2 * DAY).remove("new").unwrap();
    assert_eq!(values(&new), [(DAY + 600, 0.0, 0.0)]);
}

#[tokio::test]
async fn a_clock_that_jumps_costs_no_figures_and_leaves_no_heap() {
    let kept = Kept::new();
    kept.fill(NOON, DAY, 1.0).await;
    let now = NOON + DAY;
    let whole = kept.points(NOON, now);
    assert_eq!(whole.len(), 288);
    // A year ahead for ten minutes, and back.
    kept.fill(now + 365 * DAY, 600, 9.0).await;
    assert_eq!(kept.points(NOON, now), whole);
    kept.fill(now, 600, 1.0).await;
    assert_eq!(kept.points(NOON, now), [whole.as_slice(), &kept.points(now, now)].concat());
    // An hour back: what is newer stays, and the hour gets its figures anew.
    kept.fill(now - 3600, 1800, 5.0).await;
    let again = kept.points(now - 3600, now + 600);
    assert_eq!(again.first().map(|point| point.mean), Some(5.0));
    assert_eq!(again.last().map(|point| (point.at, point.mean)), Some((now + 570, 1.0)));
    // Back and forth, again and again, and to anywhere.
    for n in 0..200 {
        kept.put(now + (n % 7) * 3600 - 9 * (n % 5) * DAY, 2.0).await;
        kept.put(now + n * DAY, 2.0).await;
        kept.put(n - 100, 2.0).await;
    }
    let (fine, mean) = kept.records();
    assert!(fine <= KEPT_SAMPLES && mean <= KEPT_MEANS, "{fine} {mean}");
    // And once it stands still the present has its place.
    kept.fill(now + DAY, 3 * 3600, 4.0).await;
    assert_eq!(
        kept.points(now + DAY + 3600, now + DAY + 3600 + FINE).iter().filter(|p| p.mean > 3.9).count(),
        240
    );
}

#[tokio::test]
async fn it_goes_with_its_object_and_to_another_name() {
    let kept = Kept::new();
    kept.fill(NOON, 900, 1.0).await;
    let other = Change::put("history/uu/fine/1", Samples::default().json());
    kept.0.commit(vec![other, with_last("u", NOON, &Map::new())]).await.unwrap();
    let before = points(&kept.0, "u", NOON, NOON + 900);
    kept.0.commit(moved(&kept.0, "u", "v").unwrap()).await.unwrap();
    assert_eq!((points(&kept.0, "v", NOON, NOON + 900), kept.records()), (before, (0, 0)));
    kept.0.commit(without(&kept.0, "v").unwrap()).await.unwrap();
    assert_eq!(kept.0.scan("history/").unwrap().into_keys().collect::<Vec<_>>(), ["history/uu/fine/1"]);
}

#[tokio::test]
async fn what_was_found_last_says_how_old_it_is() {
    let store = MemoryStore::new();
    let sampled = json!({"walHealth": {"pg_wal_bytes": 1, "age_secs": 10, "stale": false}, "plain": 3});
    store.commit(vec![with_last("u", NOON, sampled.as_object().unwrap())]).await.unwrap();
    let shown = last_of(&store, "u", NOON + 100);
    let want = json!({"walHealth": {"pg_wal_bytes": 1, "age_secs": 110, "stale": true}, "plain": 3});
    assert_eq!(Value::Object(shown), want);
    assert_eq!(last_of(&store, "u", NOON - 100)["walHealth"]["age_secs"], 10);
    assert_eq!(last_of(&store, "none", NOON), Map::new());
}

#[tokio::test]
async fn what_cannot_be_read_is_not_known() {
    let kept = Kept::new();
    let broken = ["history/u/fine/x", "history/u/fine/7", "history/u/mean/7", "history/u/last"];
    kept.0.commit(broken.map(|key| Change::put(key, json!([1]))).to_vec()).await.unwrap();
    kept.fill(NOON, 900, 1.0).await;
    assert_eq!(kept.points(NOON - DAY, NOON + 900).len(), 3);
    assert_eq!(last_of(&kept.0, "u", NOON), Map::new());
}
