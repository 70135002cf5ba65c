//! Temperature and top-p (nucleus) sampling without sorting the vocabulary.

use std::cmp::Ordering;

use toktrie::SimpleVob;
use uno_types::Sampling;

use super::exp;

/// Draws by inverse distribution function from the smallest set of most likely tokens whose mass reaches `top_p`
/// (Holtzman et al. 2020), after the logits were divided by the temperature.
///
/// `max` is the largest allowed logit; `u` is uniform in [0, 1). Among equal probabilities lower ids come first.
pub(super) fn draw(logits: &[f32], mask: Option<&SimpleVob>, max: f32, sampling: &Sampling, u: f64) -> u32 {
    let inverse = 1.0 / sampling.temperature;
    let allowed = masked(logits, mask);
    let logits = allowed.as_deref().unwrap_or(logits);
    let total = exp::sum_exp(logits, max, inverse);
    if sampling.top_p >= 1.0 {
        return walk_all(logits, max, inverse, u * total);
    }
    let top_p = f64::from(sampling.top_p);
    // Tokens below this hold less than 1 − top_p together, so none of them can be in the nucleus.
    let floor = ((1.0 - top_p) * total / logits.len() as f64) as f32;
    let lowest_logit = max + floor.ln() * sampling.temperature - 1e-3 * sampling.temperature;
    let mut candidates: Vec<(f32, u32)> = logits
        .iter()
        .enumerate()
        .filter(|&(_, &logit)| logit >= lowest_logit)
        .map(|(id, &logit)| (exp::exp((logit - max) * inverse), id as u32))
        .collect();
    let kept = select(&mut candidates, top_p * total);
    let mass: f64 = kept.iter().map(|&(p, _)| f64::from(p)).sum();
    let mut left = u * mass;
    for &(p, id) in kept {
        left -= f64::from(p);
        if left < 0.0 {
            return id;
        }
    }
    // Rounding may leave a trace of mass after the last token.
    kept.last().map_or(0, |&(_, id)| id)
}

/// Moves the nucleus to the front, most likely first, and returns it: as few tokens as reach `needed` mass, at least one.
fn select(candidates: &mut [(f32, u32)], needed: f64) -> &[(f32, u32)] {
    let order = |a: &(f32, u32), b: &(f32, u32)| -> Ordering { b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)) };
    let mut size = 64;
    loop {
        let whole = size >= candidates.len();
        if !whole {
            candidates.select_nth_unstable_by(size, order);
        }
        let head = size.min(candidates.len());
        let mass: f64 = candidates[..head].iter().map(|&(p, _)| f64::from(p)).sum();
        if whole || mass >= needed {
            candidates[..head].sort_unstable_by(order);
            let mut reached = 0.0;
            let nucleus = candidates[..head].iter().position(|&(p, _)| {
                reached += f64::from(p);
                reached >= needed
            });
            return &candidates[..nucleus.map_or(head, |last| last + 1)];
        }
        size *= 4;
    }
}

/// Inverse distribution function over the whole row in id order; no selection is needed without top-p.
fn walk_all(logits: &[f32], max: f32, inverse: f32, mut left: f64) -> u32 {
    // Skip whole chunks first: their sums are cheap, and only one chunk is walked token by token.
    let mut last = 0;
    for (index, chunk) in logits.chunks(256).enumerate() {
        let sum = exp::sum_exp(chunk, max, inverse);
        if left < sum || index * 256 + chunk.len() == logits.len() {
            for (i, &logit) in chunk.iter().enumerate() {
                let p = f64::from(exp::exp((logit - max) * inverse));
                if p > 0.0 {
                    last = (index * 256 + i) as u32;
                    left -= p;
                    if left < 0.0 {
                        return last;
                    }
                }
            }
        } else {
            left -= sum;
            if sum > 0.0 {
                last = chunk
                    .iter()
                    .rposition(|&l| exp::exp((l - max) * inverse) > 0.0)
                    .map_or(last, |i| (index * 256 + i) as u32);
            }
        }
    }
    last
}

/// A copy of the logits with everything outside of the mask at minus infinity.
fn masked(logits: &[f32], mask: Option<&SimpleVob>) -> Option<Vec<f32>> {
    let mask = mask?;
    let mut copy = vec![f32::NEG_INFINITY; logits.len()];
    mask.iter_set_entries(|i| {
        if let (Some(to), Some(&from)) = (copy.get_mut(i), logits.get(i)) {
            *to = from;
        }
    });
    Some(copy)
}
