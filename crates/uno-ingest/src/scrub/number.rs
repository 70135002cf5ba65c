//! Numbers that prove themselves: check digits and ranges. Each function gets what a pattern found and returns how many
//! bytes of it are the number, or `None`.

/// A payment card: 13 to 19 digits with Luhn's check digit.
pub(super) fn card(text: &str) -> Option<usize> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            if i % 2 == 0 {
                *d
            } else if *d > 4 {
                2 * d - 9
            } else {
                2 * d
            }
        })
        .sum();
    let varied = digits.iter().any(|d| Some(d) != digits.first());
    ((13..=19).contains(&digits.len()) && sum.is_multiple_of(10) && varied).then_some(text.len())
}

/// An IBAN: the longest beginning, at a group's end, whose remainder modulo 97 is 1. Words in capitals may follow it.
pub(super) fn iban(text: &str) -> Option<usize> {
    let mut candidate = text;
    loop {
        let compact: String = candidate.chars().filter(|c| *c != ' ').collect();
        if (15..=34).contains(&compact.len()) && remainder(&compact) == Some(1) {
            return Some(candidate.len());
        }
        candidate = candidate.rsplit_once(' ')?.0;
    }
}

fn remainder(iban: &str) -> Option<u32> {
    let (head, tail) = iban.split_at_checked(4)?;
    let mut value = 0;
    for c in tail.chars().chain(head.chars()) {
        let digit = c.to_digit(36)?;
        value = (value * if digit < 10 { 10 } else { 100 } + digit) % 97;
    }
    Some(value)
}

/// An IPv4 address that can belong to somebody. Version numbers such as 1.2.3.4 look the same and go as well.
pub(super) fn ip(text: &str) -> Option<usize> {
    let address: std::net::Ipv4Addr = text.parse().ok()?;
    let nobody = address.is_loopback() || address.is_unspecified() || address.is_broadcast();
    (!nobody).then_some(text.len())
}

/// A phone number: 8 to 15 digits.
pub(super) fn phone(text: &str) -> Option<usize> {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (8..=15).contains(&digits).then(|| text.trim_end_matches(['(', ')', ' ', '.', '-']).len())
}
