//! Shares with intervals, and single values against a threshold.

use std::fmt::Write;

use super::{px, scale};
use crate::report::html::escape;

/// A share with its 95 % interval.
pub struct Interval {
    /// Name beside it.
    pub label: String,
    /// 0 to 1.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Remark behind it, for example the number of observations.
    pub remark: String,
    /// CSS colour.
    pub colour: String,
}

/// Horizontal dots with whiskers over 0 to 100 %; `mark` is drawn as a dashed line.
pub fn intervals(rows: &[Interval], mark: Option<f64>, width: f64) -> String {
    const ROW: f64 = 30.0;
    let (left, right) = (110.0, width - 130.0);
    let at = |share: f64| scale(share.clamp(0.0, 1.0), (0.0, 1.0), (left, right));
    let bottom = ROW * rows.len() as f64 + 4.0;
    let mut out = format!(
        "<svg viewBox='0 0 {0} {1}' width='{0}' role=img aria-label='Shares with intervals'>",
        px(width),
        px(bottom + 22.0)
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let _ = write!(
            out,
            "<line class=grid x1='{0}' x2='{0}' y1='0' y2='{1}'/><text class=dim x='{0}' y='{2}' text-anchor=middle>{3} %</text>",
            px(at(tick)),
            px(bottom),
            px(bottom + 16.0),
            px(tick * 100.0)
        );
    }
    if let Some(mark) = mark {
        let _ = write!(out, "<line class=mark x1='{0}' x2='{0}' y1='0' y2='{1}'/>", px(at(mark)), px(bottom));
    }
    for (i, row) in rows.iter().enumerate() {
        let y = ROW * (i as f64 + 0.5) + 2.0;
        let _ = write!(
            out,
            "<text x='{}' y='{}' text-anchor=end>{}</text>\
             <line x1='{}' x2='{}' y1='{y}' y2='{y}' stroke='{c}' stroke-width='3' stroke-linecap=round opacity='.45'/>\
             <circle cx='{}' cy='{y}' r='6' fill='{c}'/>\
             <text x='{}' y='{}'><tspan font-weight='650'>{:.0} %</tspan> <tspan class=dim>{}</tspan></text>",
            px(left - 14.0),
            px(y + 4.0),
            escape(&row.label),
            px(at(row.low)),
            px(at(row.high)),
            px(at(row.mean)),
            px(right + 12.0),
            px(y + 4.0),
            row.mean * 100.0,
            escape(&row.remark),
            y = px(y),
            c = row.colour,
        );
    }
    out + "</svg>"
}

/// A thin bar of `value` (0 to 1) with a mark at `threshold`.
pub fn threshold_bar(value: f64, threshold: f64) -> String {
    let (value, threshold) = (value.clamp(0.0, 1.0) * 140.0, threshold.clamp(0.0, 1.0) * 140.0);
    format!(
        "<svg viewBox='0 0 140 18' width='140' height='18' role=img aria-label='gap'>\
         <rect x='0' y='5' width='140' height='8' rx='4' fill='var(--line)'/>\
         <rect x='0' y='5' width='{}' height='8' rx='4' fill='{}'/>\
         <line x1='{t}' x2='{t}' y1='0' y2='18' stroke='var(--ink)' stroke-width='1.5'/></svg>",
        px(value),
        if value >= threshold { "var(--warn)" } else { "var(--good)" },
        t = px(threshold)
    )
}
