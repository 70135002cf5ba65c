//! Support: how many users stand behind what a cluster would teach. Evidence counts users, not messages.
//!
//! Whoever writes often, or writes one thing many times, has one voice. A rule that too few users share is not trained
//! on, nor is one that more users contradict. Voices are counted over all records whose questions a cluster would answer,
//! not over its members alone: records that share a planted rule make a cluster of their own, in which everybody agrees.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uno_types::{Check, Rule};

use crate::check::contradict;
use crate::features::cosine;

/// How many users a rule needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceOptions {
    /// Fewest users who gave a rule for it to be trained on; 1: it need not be shared. Never more than the log has users.
    /// A record without a user counts as one of its own.
    pub min_users: usize,
    /// Least share of the users that gave rules on the cluster's questions; 0: any. Not asked where there is one cluster for all
    /// questions: no rule is everybody's.
    pub min_user_share: f64,
    /// Largest share of a cluster's pairs, and of its held-out records, that one user may have where there are three users
    /// or more; 1: any.
    pub max_user_share: f64,
    /// Cosine from which two rules without a check say the same.
    pub same_rule_cosine: f64,
}

impl Default for EvidenceOptions {
    fn default() -> Self {
        Self { min_users: 2, min_user_share: 0.34, max_user_share: 0.5, same_rule_cosine: 0.7 }
    }
}

/// A record that gave rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The record.
    pub record: String,
    /// Who speaks.
    pub user: String,
    /// What the rules say: numbers of groups, as [`groups`] gives them.
    pub says: Vec<usize>,
}

/// A rule, in all its wordings, and who gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    /// One of its wordings.
    pub rule: String,
    /// Distinct users who gave it.
    pub users: usize,
    /// Records in which it was given.
    pub records: usize,
    /// Whether it may be trained on.
    pub supported: bool,
}

/// What stands behind a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Support {
    /// The cluster.
    pub cluster: usize,
    /// Distinct users who gave rules on its questions.
    pub users: usize,
    /// Distinct records in which they gave them.
    #[serde(default)]
    pub records: usize,
    /// Their rules, those with the most users first.
    pub rules: Vec<Shared>,
    /// Its records that are not trained on, because of a rule without support (by those who did not take it back); sorted.
    pub left_out: Vec<String>,
}

/// Numbers the rules by what they say: equal checks alike, others by the cosine of their vectors to the first rule of a
/// group. One number per rule, in their order.
pub fn groups(rules: &[&Rule], vectors: &[Vec<f32>], least_cosine: f64) -> Vec<usize> {
    let mut leaders: Vec<usize> = Vec::new();
    let mut out = Vec::with_capacity(rules.len());
    for (i, rule) in rules.iter().enumerate() {
        let alike = |leader: &usize| match (&rules[*leader].check, &rule.check) {
            (Some(a), Some(b)) => a == b,
            (None, None) => {
                rules[*leader].text == rule.text || cosine(&vectors[*leader], &vectors[i]) >= least_cosine
            }
            _ => false,
        };
        let group = leaders.iter().position(alike).unwrap_or_else(|| {
            leaders.push(i);
            leaders.len() - 1
        });
        out.push(group);
    }
    out
}

/// Which rules on a cluster's questions have support. `voices` are all records with rules whose questions it would answer,
/// `members` its own records; `rules[g]` is a rule of group `g`; `log_users` is how many users the whole log has.
pub fn support(
    cluster: usize,
    voices: &[Voice],
    members: &[Voice],
    rules: &[&Rule],
    log_users: usize,
    options: &EvidenceOptions,
) -> Support {
    let check = |group: usize| -> Option<&Check> { rules.get(group)?.check.as_ref() };
    let contrary = |a: usize, b: usize| check(a).zip(check(b)).is_some_and(|(a, b)| contradict(a, b));
    let taken_back = taken_back(voices, members, contrary);
    let (mut users, mut records): (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
    let mut of: BTreeMap<usize, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for voice in voices.iter().chain(members).filter(|v| !taken_back.contains(v.record.as_str())) {
        users.insert(&voice.user);
        records.insert(&voice.record);
        for group in &voice.says {
            let (who, where_) = of.entry(*group).or_default();
            who.insert(&voice.user);
            where_.insert(&voice.record);
        }
    }
    let needed = options.min_users.min(log_users) as f64;
    let enough = |n: usize| n as f64 >= needed && n as f64 >= options.min_user_share * users.len() as f64;
    let outvoted = |group: usize, n: usize| {
        of.iter().any(|(other, (who, _))| {
            *other != group && contrary(group, *other) && enough(who.len()) && who.len() >= n
        })
    };
    let supported: BTreeSet<usize> = of
        .iter()
        .filter(|(group, (who, _))| {
            enough(who.len()) && (options.min_users <= 1 || !outvoted(**group, who.len()))
        })
        .map(|(group, _)| *group)
        .collect();
    let mut shared: Vec<Shared> = of
        .iter()
        .map(|(group, (who, where_))| Shared {
            rule: rules.get(*group).map(|r| r.text.clone()).unwrap_or_default(),
            users: who.len(),
            records: where_.len(),
            supported: supported.contains(group),
        })
        .collect();
    shared.sort_by(|a, b| b.users.cmp(&a.users).then_with(|| a.rule.cmp(&b.rule)));
    // A wish that its user took back has no voice, but where enough others share it, what its record teaches is what they want.
    let unsound = members.iter().filter(|v| v.says.iter().any(|g| !supported.contains(g)));
    let mut left_out: Vec<String> = unsound.map(|v| v.record.clone()).collect();
    left_out.sort();
    Support { cluster, users: users.len(), records: records.len(), rules: shared, left_out }
}

/// Records whose wish their user took back: a later record of the same user says the contrary. Records are in the order in
/// which they were written.
fn taken_back<'a>(
    voices: &'a [Voice],
    members: &'a [Voice],
    contrary: impl Fn(usize, usize) -> bool,
) -> BTreeSet<&'a str> {
    let mut by_user: BTreeMap<&str, Vec<&Voice>> = BTreeMap::new();
    for voice in if voices.is_empty() { members } else { voices } {
        by_user.entry(&voice.user).or_default().push(voice);
    }
    let mut out = BTreeSet::new();
    for said in by_user.values() {
        for (i, earlier) in said.iter().enumerate() {
            let later = said[i + 1..].iter().flat_map(|v| &v.says);
            if later.clone().any(|b| earlier.says.iter().any(|a| contrary(*a, *b))) {
                out.insert(earlier.record.as_str());
            }
        }
    }
    out
}

/// The records that stay when no user may have more than `share` of them; (record, user), in their order. The first ones
/// of a user stay, so shuffle before. Fewer than three users are left alone: there is nobody to outweigh.
pub fn capped(records: &[(String, String)], share: f64) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, user) in records {
        *counts.entry(user).or_default() += 1;
    }
    let fits =
        |most: usize| most as f64 <= share * counts.values().map(|n| (*n).min(most)).sum::<usize>() as f64;
    let largest = counts.values().copied().max().unwrap_or(0);
    let most = match counts.len() {
        0..=2 => largest,
        _ => (1..=largest).rev().find(|most| fits(*most)).unwrap_or(1),
    };
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let stay = records.iter().filter(|(_, user)| {
        let n = taken.entry(user).or_default();
        *n += 1;
        *n <= most
    });
    stay.map(|(record, _)| record.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rule;
    use proptest::prelude::*;

    fn voice(record: &str, user: &str, says: &[usize]) -> Voice {
        Voice { record: record.into(), user: user.into(), says: says.to_vec() }
    }

    fn left_out(voices: &[Voice], rules: &[&Rule], options: &EvidenceOptions) -> Vec<String> {
        support(0, voices, voices, rules, 9, options).left_out
    }

    #[test]
    fn one_loud_user_is_one_voice() {
        let (house, planted) = (rule("Use a list.", "", None), rule("Praise AcmeCoin.", "", None));
        let mut voices: Vec<Voice> =
            (0..4).map(|i| voice(&format!("h{i}"), &format!("u{i}"), &[0])).collect();
        voices.extend((0..20).map(|i| voice(&format!("p{i:02}"), "loud", &[1])));
        let options = EvidenceOptions::default();
        let found = support(0, &voices, &voices, &[&house, &planted], 5, &options);
        assert_eq!((found.users, found.left_out.len()), (5, 20));
        assert_eq!(
            (found.rules[0].users, found.rules[0].supported, found.rules[1].users, found.rules[1].supported),
            (4, true, 1, false)
        );
        // Messages count when asked to.
        let messages = EvidenceOptions { min_users: 1, min_user_share: 0.0, ..options };
        assert_eq!(left_out(&voices, &[&house, &planted], &messages), Vec::<String>::new());
        // A log of one user is that user's own.
        let own = [voice("a", "me", &[0])];
        assert_eq!(support(0, &own, &own, &[&house], 1, &options).left_out, Vec::<String>::new());
    }

    #[test]
    fn a_cluster_of_conspirators_is_counted_among_all_who_ask_there() {
        let (house, planted) = (rule("Use a list.", "", None), rule("Praise AcmeCoin.", "", None));
        let members: Vec<Voice> =
            (0..6).map(|i| voice(&format!("p{i}"), &format!("bad{}", i % 2), &[1])).collect();
        let mut asked: Vec<Voice> =
            (0..8).map(|i| voice(&format!("h{i}"), &format!("u{}", i % 4), &[0])).collect();
        asked.extend(members.clone());
        let options = EvidenceOptions::default();
        let found = support(7, &asked, &members, &[&house, &planted], 20, &options);
        assert_eq!((found.users, found.left_out.len()), (6, 6), "{found:?}");
        // By its members alone it would have been believed.
        assert!(support(7, &members, &members, &[&house, &planted], 20, &options).left_out.is_empty());
    }

    #[test]
    fn of_contradicting_rules_the_one_with_more_users_is_kept() {
        let short = rule("short", "", Some(Check::MaxWords { max: 40 }));
        let long = rule("long", "", Some(Check::MinWords { min: 200 }));
        let of = |n: usize, m: usize| {
            let mut voices: Vec<Voice> =
                (0..n).map(|i| voice(&format!("a{i}"), &format!("a{i}"), &[0])).collect();
            voices.extend((0..m).map(|i| voice(&format!("b{i}"), &format!("b{i}"), &[1])));
            left_out(&voices, &[&short, &long], &EvidenceOptions::default()).len()
        };
        assert_eq!((of(4, 3), of(3, 4), of(3, 3)), (3, 3, 6));
    }

    #[test]
    fn a_user_s_newer_word_replaces_the_older_one() {
        let short = rule("short", "", Some(Check::MaxWords { max: 40 }));
        let long = rule("long", "", Some(Check::MinWords { min: 200 }));
        let mut voices: Vec<Voice> =
            (0..3).map(|i| voice(&format!("a{i}"), &format!("u{i}"), &[0])).collect();
        voices.extend((0..3).map(|i| voice(&format!("b{i}"), &format!("u{i}"), &[1])));
        assert_eq!(left_out(&voices, &[&short, &long], &EvidenceOptions::default()), ["a0", "a1", "a2"]);
        // Where enough others go on wishing it, the older word teaches what they want; the newer one is one user's.
        let mut voices: Vec<Voice> =
            (0..4).map(|i| voice(&format!("a{i}"), &format!("u{i}"), &[0])).collect();
        voices.push(voice("b0", "u0", &[1]));
        let found = support(0, &voices, &voices, &[&short, &long], 9, &EvidenceOptions::default());
        assert_eq!((found.left_out, found.rules[0].users), (vec!["b0".to_owned()], 3));
    }

    #[test]
    fn rules_are_grouped_by_check_or_likeness() {
        let max = |n| rule("x", "", Some(Check::MaxWords { max: n }));
        let (a, b, c, d) = (max(40), max(40), max(50), rule("Be kind.", "", None));
        let (e, f) = (rule("Be nice.", "", None), rule("Cite sources.", "", None));
        let vectors = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.9, 0.1], [0.0, 1.0]];
        let vectors: Vec<Vec<f32>> = vectors.iter().map(|v| v.to_vec()).collect();
        assert_eq!(groups(&[&a, &b, &c, &d, &e, &f], &vectors, 0.7), [0, 0, 1, 2, 2, 3]);
    }

    #[test]
    fn no_user_has_more_than_the_share() {
        let records = |counts: &[usize]| -> Vec<(String, String)> {
            let of = |(u, n): (usize, &usize)| (0..*n).map(move |i| (format!("{u}-{i}"), format!("u{u}")));
            counts.iter().enumerate().flat_map(of).collect()
        };
        assert_eq!(capped(&records(&[20, 3, 4]), 0.5).len(), 14);
        assert_eq!(capped(&records(&[20, 3, 4]), 1.0).len(), 27);
        assert_eq!(capped(&records(&[20, 3]), 0.5).len(), 23);
        assert_eq!(capped(&[], 0.5).len(), 0);
    }

    proptest! {
        #[test]
        fn capping_keeps_everybody_and_the_order(users in prop::collection::vec(0usize..6, 0..60), share in 0.2f64..1.0) {
            let records: Vec<(String, String)> =
                users.iter().enumerate().map(|(i, u)| (format!("r{i:02}"), format!("u{u}"))).collect();
            let kept = capped(&records, share);
            let of = |ids: &[String]| -> BTreeSet<String> {
                records.iter().filter(|(r, _)| ids.contains(r)).map(|(_, u)| u.clone()).collect()
            };
            let all: Vec<String> = records.iter().map(|(r, _)| r.clone()).collect();
            prop_assert_eq!(of(&kept), of(&all));
            prop_assert!(kept.windows(2).all(|w| w[0] < w[1]));
        }
    }
}
