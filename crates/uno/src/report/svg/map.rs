//! Clusters of queries in two dimensions.

use std::fmt::Write;

use super::{px, scale};
use crate::report::html::{colour, escape};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 430.0;
const MARGIN: f64 = 26.0;

/// One query.
pub struct MapPoint {
    /// Its cluster.
    pub cluster: usize,
    /// Position.
    pub x: f64,
    /// Position.
    pub y: f64,
    /// Shown when the pointer rests on it.
    pub title: String,
    /// Whether it has rules; others are drawn hollow.
    pub solid: bool,
}

/// A scatter plot with the number of each cluster at its middle.
pub fn map(points: &[MapPoint]) -> String {
    let extent = |of: fn(&MapPoint) -> f64| {
        let values = points.iter().map(of).filter(|v| v.is_finite());
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (xs, ys) = (extent(|p| p.x), extent(|p| p.y));
    let place = |p: &MapPoint| {
        let x = scale(p.x, xs, (MARGIN, WIDTH - MARGIN));
        (x, scale(p.y, ys, (HEIGHT - MARGIN, MARGIN)))
    };
    let mut out = format!("<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='Map of the clusters'>");
    for p in points {
        let ((x, y), colour) = (place(p), colour(p.cluster));
        let fill = if p.solid { colour.as_str() } else { "none" };
        let _ = write!(
            out,
            "<circle cx='{}' cy='{}' r='4.5' fill='{fill}' stroke='{colour}' fill-opacity='.72'><title>{}</title></circle>",
            px(x),
            px(y),
            escape(&p.title)
        );
    }
    let clusters = points.iter().map(|p| p.cluster + 1).max().unwrap_or(0);
    for cluster in 0..clusters {
        let (mut n, mut x, mut y) = (0.0, 0.0, 0.0);
        for (px, py) in points.iter().filter(|p| p.cluster == cluster).map(place) {
            (n, x, y) = (n + 1.0, x + px, y + py);
        }
        if n > 0.0 {
            let _ = write!(
                out,
                "<circle cx='{0}' cy='{1}' r='13' fill='var(--card)' stroke='{2}' stroke-width='2'/>\
                 <text x='{0}' y='{3}' text-anchor=middle font-weight='700'>{cluster}</text>",
                px(x / n),
                px(y / n),
                colour(cluster),
                px(y / n + 4.5)
            );
        }
    }
    out + "</svg>"
}
