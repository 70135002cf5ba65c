//! The report's pictures: plain SVG in the colours of the style sheet.

mod bars;
mod curves;
mod funnel;
mod map;

pub use bars::{Interval, intervals, threshold_bar};
pub use curves::{Series, curves};
pub use funnel::funnel;
pub use map::{MapPoint, map};

/// A number for a coordinate: two decimals are a hundredth of a pixel; what is not finite is drawn at 0.
fn px(x: f64) -> String {
    let text = format!("{:.2}", if x.is_finite() { x } else { 0.0 });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Maps `value` from `from` to `to`, both (low, high); the middle when `from` is empty.
fn scale(value: f64, from: (f64, f64), to: (f64, f64)) -> f64 {
    let span = from.1 - from.0;
    let share = if span.abs() < 1e-12 { 0.5 } else { (value - from.0) / span };
    to.0 + share * (to.1 - to.0)
}

/// Round numbers that cover `low` to `high` in about `n` steps.
fn ticks(low: f64, high: f64, n: usize) -> Vec<f64> {
    let span = (high - low).max(1e-9);
    let raw = span / n.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|m| m * power).find(|s| *s >= raw * 0.999).unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A tick's number without needless zeros.
fn tick_label(x: f64) -> String {
    let text = format!("{x:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(0.0, 7.3, 4), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(ticks(3.0, 3.0, 4).len(), 1);
        assert_eq!([tick_label(0.25), tick_label(2.0), tick_label(-0.0)], ["0.25", "2", "0"]);
    }

    #[test]
    fn odd_numbers_stay_drawable() {
        assert_eq!([px(1.0), px(f64::NAN), px(0.126)], ["1", "0", "0.13"]);
        assert_eq!(scale(5.0, (5.0, 5.0), (0.0, 10.0)), 5.0);
    }
}
