//! How many conversations a plan on trial gets.

use serde::{Deserialize, Serialize};

/// A share of its own for a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterShare {
    /// The cluster of the plan on trial.
    pub cluster: usize,
    /// Its share of conversations, 0 to 1.
    pub share: f64,
}

/// The shares of conversations that a plan on trial gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shares {
    /// Where no other is given.
    share: f64,
    clusters: Vec<ClusterShare>,
}

impl Shares {
    /// The same for all.
    pub fn of(share: f64) -> Self {
        Self { share, clusters: Vec::new() }
    }

    /// With shares of their own for some clusters.
    #[must_use]
    pub fn with(self, clusters: &[ClusterShare]) -> Self {
        Self { clusters: clusters.to_vec(), ..self }
    }

    /// Whether any conversation can be on trial.
    pub fn is_any(&self) -> bool {
        self.share > 0.0 || self.clusters.iter().any(|c| c.share > 0.0)
    }

    /// Whether a conversation is on trial; always the same for the same conversation, cluster and share, and whoever is on trial
    /// stays so when the share grows.
    pub fn takes(&self, conversation: u64, cluster: Option<usize>) -> bool {
        let own = self.clusters.iter().find(|c| Some(c.cluster) == cluster);
        (conversation as f64 / u64::MAX as f64) < own.map_or(self.share, |c| c.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_its_own_share_if_it_was_given_one() {
        let shares = Shares::of(0.1)
            .with(&[ClusterShare { cluster: 2, share: 0.5 }, ClusterShare { cluster: 3, share: 0.0 }]);
        let conversations: Vec<u64> = (0..1000u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let taken = |cluster| conversations.iter().filter(|c| shares.takes(**c, cluster)).count();
        assert!((80..120).contains(&taken(None)) && taken(None) == taken(Some(1)));
        assert!((450..550).contains(&taken(Some(2))));
        assert_eq!(taken(Some(3)), 0);
        assert!(conversations.iter().all(|c| shares.takes(*c, Some(2)) || !shares.takes(*c, None)));
        assert!(!Shares::of(0.0).is_any() && shares.is_any());
    }
}
