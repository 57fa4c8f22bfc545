//! What the apps of one tenant may use together.

use serde::{Deserialize, Serialize};

/// Bounds over all apps of a tenant. One that is not said is that of the node, which is there for each request and each
/// component anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Requests and messages at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    /// MiB of all instances that are at work or wait for it, with what the host holds for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib_max: Option<u64>,
    /// Milliseconds on a core in each second; 1000 are one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms_per_s_max: Option<u32>,
    /// Connections to other hosts, sockets of a guest's own not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_connections_max: Option<u32>,
    /// MiB of each file that they keep: the key-value store, and each SQLite database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_mib_max: Option<u64>,
    /// MiB that their releases take on the disk, with files that were sent and that no release names yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub releases_mib_max: Option<u64>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apps_max: Option<u32>,
    /// Releases of each that are kept, besides what is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub releases_max: Option<u32>,
}

impl Quotas {
    /// The first field that says what nothing can run with, and what it should say.
    pub fn fault(&self) -> Option<String> {
        let zero = [
            ("concurrency_max", self.concurrency_max == Some(0)),
            ("memory_mib_max", self.memory_mib_max == Some(0)),
            ("cpu_ms_per_s_max", self.cpu_ms_per_s_max == Some(0)),
            ("store_mib_max", self.store_mib_max == Some(0)),
            ("releases_mib_max", self.releases_mib_max == Some(0)),
        ];
        let (field, _) = zero.into_iter().find(|(_, is_zero)| *is_zero)?;
        Some(format!("{field}: expected a whole number of 1 or more"))
    }

    /// Bytes of `memory_mib_max`.
    pub fn memory_bytes_max(&self) -> Option<u64> {
        self.memory_mib_max.map(|mib| mib.saturating_mul(1 << 20))
    }

    /// Bytes of `store_mib_max`.
    pub fn store_bytes_max(&self) -> Option<u64> {
        self.store_mib_max.map(|mib| mib.saturating_mul(1 << 20))
    }

    /// Bytes of `releases_mib_max`.
    pub fn releases_bytes_max(&self) -> Option<u64> {
        self.releases_mib_max.map(|mib| mib.saturating_mul(1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_no_bound_and_what_is_misspelt_is_refused() {
        let quotas: Quotas = serde_json::from_str(r#"{"memory_mib_max": 64}"#).unwrap();
        assert_eq!(quotas, Quotas { memory_mib_max: Some(64), ..Quotas::default() });
        assert_eq!(quotas.memory_bytes_max(), Some(64 << 20));
        assert_eq!(serde_json::to_string(&quotas).unwrap(), r#"{"memory_mib_max":64}"#);
        assert!(serde_json::from_str::<Quotas>(r#"{"memory_max": 64}"#).is_err());
        assert_eq!(quotas.fault(), None);
        let none = Quotas { cpu_ms_per_s_max: Some(0), ..quotas };
        assert_eq!(none.fault().unwrap(), "cpu_ms_per_s_max: expected a whole number of 1 or more");
    }
}
