//! Charges, articles, terms and fines of a judgment.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::Parts;
use super::numeral::numbers;

/// What a judgment decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Names of the crimes that somebody is convicted of.
    pub charges: BTreeSet<String>,
    /// Numbers of the cited articles of the Criminal Law.
    pub articles: BTreeSet<u64>,
    /// Sum of the different terms of imprisonment, in months; life counts 240, death 10 001. `None` without any.
    pub months: Option<f64>,
    /// Sum of the different fines, in yuan. `None` without any.
    pub yuan: Option<f64>,
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static CHARGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern("犯有?([^，。；、犯]{1,2}[^，。；犯]{0,20}?罪)"));
static LAW: LazyLock<Option<Regex>> = LazyLock::new(|| pattern("刑法》([^《]*)"));
static ARTICLE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern("第([一二三四五六七八九零十百]+)条"));
static TERM: LazyLock<Option<Regex>> = LazyLock::new(|| pattern("(?:管制|拘役|有期徒刑).{1,7}[年月]"));
static OTHER: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern("无期徒刑|死刑|无罪|免予刑事处罚|免于刑事处罚|免予刑事处分"));
static FINE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern("罚金.{1,15}元"));

/// Reads the verdict. Terms and fines are looked for in the decision, and in the whole document where it has none.
pub fn extract(document: &str, parts: &Parts) -> Verdict {
    Verdict {
        charges: groups(&CHARGE, &parts.decision).into_iter().collect(),
        articles: articles(document),
        months: sum(terms(&parts.decision).or_else(|| terms(document)), months),
        yuan: sum(fines(&parts.decision).or_else(|| fines(document)), |fine| {
            numbers(fine).first().map_or(0.0, |n| n.trunc())
        }),
    }
}

/// The first group of every match, or the whole match where there is no group.
fn groups(pattern: &LazyLock<Option<Regex>>, text: &str) -> Vec<String> {
    let Some(pattern) = pattern.as_ref() else { return Vec::new() };
    let captured = pattern.captures_iter(text).filter_map(|c| c.get(1).or(c.get(0)));
    captured.map(|m| m.as_str().to_owned()).collect()
}

/// Articles named after the Criminal Law and before another law.
fn articles(document: &str) -> BTreeSet<u64> {
    let sections = groups(&LAW, document).into_iter();
    let named = sections.flat_map(|section| groups(&ARTICLE, &section));
    named.flat_map(|name| numbers(&name)).map(|n| n as u64).collect()
}

fn terms(text: &str) -> Option<BTreeSet<String>> {
    let cut = |term: String| {
        let end = term.find([',', ';', '，', '。', '！', '？', '、', '；', '：', '（', '以', '缓', '至']);
        end.map_or(term.clone(), |end| term[..end].to_owned())
    };
    let mut found: BTreeSet<String> = groups(&TERM, text).into_iter().map(cut).collect();
    found.extend(groups(&OTHER, text));
    (!found.is_empty()).then_some(found)
}

fn months(term: &str) -> f64 {
    let (years, month) = (term.contains('年'), term.contains('月'));
    match numbers(term)[..] {
        [y, m] if years && month => y * 12.0 + m,
        [n, ..] if years => n * 12.0,
        [n, ..] if month => n,
        [] if term.contains("无期徒刑") => 240.0,
        [] if term.contains("死刑") => 10_001.0,
        _ => 0.0,
    }
}

fn fines(text: &str) -> Option<BTreeSet<String>> {
    let cut = |fine: String| {
        let end = fine.find(['，', '。', '！', '？', '、', '；', '：', '以', '已', '至', '（']);
        end.map_or(fine.clone(), |end| fine[..end].to_owned())
    };
    let found = groups(&FINE, text).into_iter().map(cut).filter(|fine| fine.contains('元'));
    let found: BTreeSet<String> = found.map(|fine| fine.replace(',', "")).collect();
    (!found.is_empty()).then_some(found)
}

fn sum(found: Option<BTreeSet<String>>, value: impl Fn(&str) -> f64) -> Option<f64> {
    found.map(|all| all.iter().map(|one| value(one)).sum())
}
