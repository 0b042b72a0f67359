//! Caps in the words of the service API: whole MiB, billionths of a CPU, and swap as Docker counts it, with the memory in it.

use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::Caps;
use crate::workload::status::CapsStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `null` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// MiB
    pub memory_mb: Option<u64>,
    /// MiB of memory and swap together; alone it means nothing. As much as the memory: no swap.
    pub memory_swap_mb: Option<u64>,
    pub nano_cpus: Option<u64>,
}

impl From<Caps> for Limits {
    fn from(Caps { memory, swap, cpus }: Caps) -> Self {
        let mib = |bytes: u64| bytes / Bytes::MI;
        let all = memory.map(|memory| memory.0.saturating_add(swap.map_or(0, |swap| swap.0)));
        Self {
            memory_mb: memory.map(|memory| mib(memory.0)),
            memory_swap_mb: all.map(mib),
            nano_cpus: cpus.map(|cpus| cpus.0),
        }
    }
}

impl From<&CapsStatus> for Limits {
    fn from(caps: &CapsStatus) -> Self {
        let bytes = |text: &Option<String>| Bytes::parse(text.as_ref()?).ok();
        let cpus = caps.cpus.as_ref().and_then(|cpus| NanoCpus::parse(cpus).ok());
        Caps { memory: bytes(&caps.memory), swap: bytes(&caps.swap), cpus }.into()
    }
}

/// The same as it is asked for, with the fields of the brief's clients that say nothing here: they send all of them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsBody {
    pub memory_mb: Option<u64>,
    pub memory_swap_mb: Option<u64>,
    pub nano_cpus: Option<u64>,
    /// Only `null`.
    pub cpu_shares: Option<u64>,
    /// Only `null`.
    pub shm_size_mb: Option<u64>,
}

impl LimitsBody {
    /// # Errors
    /// What cannot be had, in words.
    pub fn limits(self) -> Result<Limits, String> {
        let Self { memory_mb, memory_swap_mb, nano_cpus, cpu_shares, shm_size_mb } = self;
        let words = [
            cpu_shares
                .map(|_| "cpu_shares is not supported: nano_cpus is a cap that holds; leave it out or null"),
            shm_size_mb.map(|_| "shm_size_mb follows from memory_mb; leave it out or null"),
        ];
        let wrong: Vec<&str> = words.into_iter().flatten().collect();
        if wrong.is_empty() {
            Ok(Limits { memory_mb, memory_swap_mb, nano_cpus })
        } else {
            Err(wrong.join("; "))
        }
    }
}

impl Limits {
    /// With what is meant where nothing is said: no extra swap.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { memory_swap_mb: self.memory_swap_mb.or(self.memory_mb), ..self }
    }

    /// The merge patch that makes these the limits of an object, and none where there is none. A preset gives way: it has
    /// limits that nobody asked for here.
    ///
    /// # Errors
    /// Every field that cannot be meant, in words.
    pub fn patch(&self) -> Result<Value, String> {
        let fields = [
            ("memory_mb", self.memory_mb),
            ("memory_swap_mb", self.memory_swap_mb),
            ("nano_cpus", self.nano_cpus),
        ];
        let zero = fields.iter().filter(|(_, value)| *value == Some(0));
        let mut wrong: Vec<String> =
            zero.map(|(name, _)| format!("{name} is 0: write null for no limit")).collect();
        match (self.memory_mb, self.memory_swap_mb) {
            (None, Some(_)) => {
                wrong.push("memory_swap_mb is memory and swap together: it needs memory_mb".to_owned())
            }
            (Some(memory), Some(all)) if all < memory => wrong.push(format!(
                "memory_swap_mb is memory and swap together: {all} is less than the {memory} of memory_mb"
            )),
            _ => {}
        }
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        let mib = |mib: u64| Bytes(mib.saturating_mul(Bytes::MI)).to_string();
        let swap = self.memory_mb.and_then(|memory| Some(self.memory_swap_mb?.saturating_sub(memory)));
        let resources = if *self == Self::default() {
            Value::Null
        } else {
            json!({
                "memory": self.memory_mb.map(mib),
                "swap": swap.filter(|swap| *swap > 0).map(mib),
                "cpus": self.nano_cpus.map(|cpus| NanoCpus(cpus).to_string()),
            })
        };
        Ok(json!({"spec": {"size": null, "resources": resources}}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(memory_mb: Option<u64>, memory_swap_mb: Option<u64>, nano_cpus: Option<u64>) -> Limits {
        Limits { memory_mb, memory_swap_mb, nano_cpus }
    }

    #[test]
    fn swap_is_told_with_the_memory_in_it() {
        let caps = |memory: &str, swap: Option<&str>, cpus: Option<&str>| CapsStatus {
            memory: Some(memory.to_owned()),
            swap: swap.map(str::to_owned),
            cpus: cpus.map(str::to_owned),
        };
        for (seen, told) in [
            (caps("512Mi", None, None), limits(Some(512), Some(512), None)),
            (caps("1Gi", Some("256Mi"), Some("1.5")), limits(Some(1024), Some(1280), Some(1_500_000_000))),
            (CapsStatus::default(), Limits::default()),
        ] {
            assert_eq!(Limits::from(&seen), told);
        }
    }

    #[test]
    fn what_is_asked_for_replaces_all_that_was_and_all_nulls_remove_it() {
        let patch = |resources: Value| json!({"spec": {"size": null, "resources": resources}});
        for (asked, want) in [
            (Limits::default(), patch(Value::Null)),
            (limits(Some(512), None, None), patch(json!({"memory": "512Mi", "swap": null, "cpus": null}))),
            (
                limits(Some(512), Some(512), None),
                patch(json!({"memory": "512Mi", "swap": null, "cpus": null})),
            ),
            (
                limits(Some(512), Some(768), Some(1_500_000_000)),
                patch(json!({"memory": "512Mi", "swap": "256Mi", "cpus": "1.5"})),
            ),
            (
                limits(None, None, Some(250_000_000)),
                patch(json!({"memory": null, "swap": null, "cpus": "0.25"})),
            ),
        ] {
            assert_eq!(asked.patch().unwrap(), want, "{asked:?}");
        }
        for (asked, says) in [
            (limits(Some(0), None, Some(0)), "memory_mb is 0: write null for no limit; nano_cpus is 0"),
            (limits(None, Some(512), None), "it needs memory_mb"),
            (limits(Some(512), Some(511), None), "511 is less than the 512"),
        ] {
            let why = asked.patch().unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }
}
