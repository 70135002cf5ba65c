//! How many of the logs became something that can be learnt.

use std::fmt::Write;

use super::px;
use crate::report::html::escape;

const WIDTH: f64 = 1000.0;
const ROW: f64 = 46.0;
const LABEL: f64 = 250.0;

/// One bar per step: name, number, and a remark. Lengths are in proportion to the first step.
pub fn funnel(steps: &[(String, u64, String)]) -> String {
    let most = steps.iter().map(|s| s.1).max().unwrap_or(0).max(1) as f64;
    let height = ROW * steps.len() as f64;
    let mut out =
        format!("<svg viewBox='0 0 {WIDTH} {}' role=img aria-label='From records to pairs'>", px(height));
    for (i, (name, number, remark)) in steps.iter().enumerate() {
        let y = ROW * i as f64;
        let length = ((WIDTH - LABEL - 260.0) * *number as f64 / most).max(2.0);
        let _ = write!(
            out,
            "<text x='{}' y='{}' text-anchor=end>{}</text>\
             <rect x='{LABEL}' y='{}' width='{}' height='26' rx='4' fill='var(--accent)' opacity='{}'/>\
             <text x='{}' y='{}'><tspan font-weight='650'>{number}</tspan> <tspan class=dim>{}</tspan></text>",
            px(LABEL - 14.0),
            px(y + 25.0),
            escape(name),
            px(y + 8.0),
            px(length),
            px(1.0 - 0.13 * i as f64),
            px(LABEL + length + 10.0),
            px(y + 25.0),
            escape(remark),
        );
    }
    out + "</svg>"
}
