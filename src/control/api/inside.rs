//! What goes on inside of a server, for `seawall top`: from the names that its status has for it, whatever its kind is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `null` is what is not known, also of a look that is too old.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Inside {
    pub connections_used: Option<u64>,
    pub max_connections: Option<u64>,
    /// Of all that is stored in it.
    pub size_bytes: Option<u64>,
    pub wal_bytes: Option<u64>,
    /// 0 to 1, between the last two looks; of one that does not tell that, or of which nobody asked anything since, in total.
    pub cache_hit_ratio: Option<f64>,
    pub transactions_per_second: Option<f64>,
    /// Since the oldest transaction that is open began.
    pub longest_transaction_secs: Option<u64>,
}

impl Inside {
    /// `sampled`: the fields of a status that nobody writes.
    #[must_use]
    pub fn of(sampled: &Map<String, Value>) -> Self {
        let part = |name: &str| sampled.get(name).filter(|part| part["stale"] == false);
        let (inside, wal) = (part("monitoring"), part("walHealth"));
        let whole = |part: Option<&Value>, path: &str| part?.pointer(path)?.as_u64();
        let number = |path: &str| inside?.pointer(path)?.as_f64();
        let rates = (number("/rates/commits_per_s"), number("/rates/rollbacks_per_s"));
        Self {
            connections_used: whole(inside, "/connections/used"),
            max_connections: whole(inside, "/max_connections"),
            size_bytes: whole(inside, "/size_bytes"),
            wal_bytes: whole(wal, "/pg_wal_bytes"),
            cache_hit_ratio: number("/rates/cache_hit_ratio").or_else(|| number("/cache_hit_ratio")),
            transactions_per_second: rates.0.zip(rates.1).map(|(commits, rollbacks)| commits + rollbacks),
            longest_transaction_secs: whole(inside, "/transactions/longest/secs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_old_or_not_there_is_not_known() {
        let sampled = |stale: bool| {
            let value = json!({
                "monitoring": {"stale": stale, "connections": {"used": 3}, "max_connections": 100,
                    "rates": {"commits_per_s": 1.5, "rollbacks_per_s": 0.25}, "transactions": {}},
                "walHealth": {"stale": false, "pg_wal_bytes": 7},
            });
            value.as_object().cloned().unwrap()
        };
        let fresh = Inside::of(&sampled(false));
        let want = Inside {
            connections_used: Some(3),
            max_connections: Some(100),
            wal_bytes: Some(7),
            transactions_per_second: Some(1.75),
            ..Inside::default()
        };
        assert_eq!(fresh, want);
        assert_eq!(Inside::of(&sampled(true)), Inside { wal_bytes: Some(7), ..Inside::default() });
        assert_eq!(Inside::of(&Map::new()), Inside::default());
    }
}
