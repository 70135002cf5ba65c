//! Lines over steps or epochs.

use std::fmt::Write;

use super::{px, scale, tick_label, ticks};
use crate::report::html::escape;

/// One line.
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// (x, y), in order of x.
    pub points: Vec<(f64, f64)>,
    /// CSS colour.
    pub colour: String,
    /// Draw a dot at each point.
    pub dots: bool,
}

/// A line chart with a legend; `x_label` stands below the axis.
pub fn curves(series: &[Series], x_label: &str, width: f64, height: f64) -> String {
    let all = || series.iter().flat_map(|s| s.points.iter()).filter(|p| p.0.is_finite() && p.1.is_finite());
    if all().next().is_none() {
        return String::new();
    }
    let extent = |of: fn(&(f64, f64)) -> f64| {
        all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let xs = extent(|p| p.0);
    let (low, high) = extent(|p| p.1);
    let ys = (low.min(0.0), if high > low.min(0.0) { high } else { low.min(0.0) + 1.0 });
    let (left, right, top, bottom) = (44.0, width - 10.0, 24.0, height - 34.0);
    let x = |v: f64| scale(v, xs, (left, right));
    let y = |v: f64| scale(v, ys, (bottom, top));
    let mut out = format!(
        "<svg viewBox='0 0 {0} {1}' width='{0}' role=img aria-label='{2}'>",
        px(width),
        px(height),
        escape(x_label)
    );
    for tick in ticks(ys.0, ys.1, 4) {
        let _ = write!(
            out,
            "<line class=grid x1='{}' x2='{}' y1='{t}' y2='{t}'/><text class=dim x='{}' y='{}' text-anchor=end>{}</text>",
            px(left),
            px(right),
            px(left - 7.0),
            px(y(tick) + 4.0),
            tick_label(tick),
            t = px(y(tick))
        );
    }
    for tick in ticks(xs.0, xs.1, 6).into_iter().filter(|t| t.fract() == 0.0) {
        let _ = write!(
            out,
            "<text class=dim x='{}' y='{}' text-anchor=middle>{}</text>",
            px(x(tick)),
            px(bottom + 16.0),
            tick_label(tick)
        );
    }
    let _ = write!(
        out,
        "<text class=dim x='{}' y='{}' text-anchor=end>{}</text>",
        px(right),
        px(height - 4.0),
        escape(x_label)
    );
    let mut legend = left;
    for s in series {
        let points: Vec<String> = s
            .points
            .iter()
            .filter(|p| p.0.is_finite() && p.1.is_finite())
            .map(|p| format!("{},{}", px(x(p.0)), px(y(p.1))))
            .collect();
        let _ = write!(
            out,
            "<polyline fill=none stroke='{}' stroke-width='2' stroke-linejoin=round points='{}'/>",
            s.colour,
            points.join(" ")
        );
        if s.dots {
            for point in &points {
                let (cx, cy) = point.split_once(',').unwrap_or(("0", "0"));
                let _ = write!(out, "<circle cx='{cx}' cy='{cy}' r='3.5' fill='{}'/>", s.colour);
            }
        }
        let _ = write!(
            out,
            "<rect x='{}' y='4' width='14' height='4' rx='2' fill='{}'/><text x='{}' y='11'>{}</text>",
            px(legend),
            s.colour,
            px(legend + 19.0),
            escape(&s.name)
        );
        legend += 34.0 + 7.2 * s.name.chars().count() as f64;
    }
    out + "</svg>"
}
