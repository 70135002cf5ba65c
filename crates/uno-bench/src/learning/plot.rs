//! Pictures as stand-alone SVG files: shares with intervals, and lines over steps.

use std::fmt::Write;

use uno_learn::stats::Estimate;

/// A share with its interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Name beside it.
    pub label: String,
    /// The share, 0 to 1.
    pub value: Estimate,
}

/// Values over steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Name in the legend.
    pub label: String,
    /// 0 to 1, one per step; steps without a value are gaps.
    pub values: Vec<Option<f64>>,
}

const WIDTH: f64 = 760.0;
const COLOURS: [&str; 8] =
    ["#2563eb", "#16a34a", "#d97706", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4b5563"];

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0}' width='{WIDTH}' height='{height:.0}' \
         font-family='system-ui, sans-serif' font-size='13'>\n<rect width='100%' height='100%' fill='white'/>\n\
         <text x='16' y='24' font-size='16' font-weight='600'>{}</text>\n",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

/// Dots with whiskers on a scale of 0 to 100 %, one row each.
pub fn bars(title: &str, rows: &[Bar]) -> String {
    const ROW: f64 = 24.0;
    let (left, right, top) = (200.0, WIDTH - 80.0, 44.0);
    let bottom = top + ROW * rows.len() as f64;
    let at = |share: f64| left + share.clamp(0.0, 1.0) * (right - left);
    let mut out = open(bottom + 36.0, title);
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let x = at(tick);
        let _ = writeln!(
            out,
            "<line x1='{x:.1}' x2='{x:.1}' y1='{top:.1}' y2='{bottom:.1}' stroke='#e5e7eb'/>\
             <text x='{x:.1}' y='{:.1}' text-anchor='middle' fill='#6b7280'>{:.0} %</text>",
            bottom + 18.0,
            tick * 100.0
        );
    }
    for (i, row) in rows.iter().enumerate() {
        let (y, v) = (top + ROW * (i as f64 + 0.5), &row.value);
        let _ = writeln!(
            out,
            "<text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>\
             <line x1='{:.1}' x2='{:.1}' y1='{y:.1}' y2='{y:.1}' stroke='{c}' stroke-width='2'/>\
             <circle cx='{:.1}' cy='{y:.1}' r='5' fill='{c}'/><text x='{:.1}' y='{:.1}'>{:.0} %</text>",
            left - 12.0,
            y + 4.0,
            escape(&row.label),
            at(v.low),
            at(v.high),
            at(v.mean),
            right + 14.0,
            y + 4.0,
            v.mean * 100.0,
            c = COLOURS[0],
        );
    }
    out + "</svg>\n"
}

/// Lines over named steps on a scale of 0 to 100 %, with a mark at steps of which something is said.
pub fn lines(title: &str, steps: &[String], marks: &[(usize, String)], all: &[Line]) -> String {
    let (left, right, top, bottom) = (56.0, WIDTH - 170.0, 44.0, 330.0);
    let last = steps.len().saturating_sub(1).max(1) as f64;
    let x = |step: usize| left + step as f64 / last * (right - left);
    let y = |share: f64| bottom - share.clamp(0.0, 1.0) * (bottom - top);
    let mut out = open(380.0, title);
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let _ = writeln!(
            out,
            "<line x1='{left}' x2='{right}' y1='{0:.1}' y2='{0:.1}' stroke='#e5e7eb'/>\
             <text x='{1}' y='{2:.1}' text-anchor='end' fill='#6b7280'>{3:.0} %</text>",
            y(tick),
            left - 8.0,
            y(tick) + 4.0,
            tick * 100.0
        );
    }
    for (i, step) in steps.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text x='{:.1}' y='{}' text-anchor='middle' fill='#6b7280'>{}</text>",
            x(i),
            bottom + 18.0,
            escape(step)
        );
    }
    for (step, what) in marks {
        let _ = writeln!(
            out,
            "<line x1='{0:.1}' x2='{0:.1}' y1='{top}' y2='{bottom}' stroke='#9ca3af' stroke-dasharray='4 4'/>\
             <text x='{1:.1}' y='{2}' fill='#6b7280' font-size='11'>{3}</text>",
            x(*step),
            x(*step) + 4.0,
            top + 10.0 + 13.0 * (step % 3) as f64,
            escape(what)
        );
    }
    for (i, line) in all.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let known = line.values.iter().enumerate().filter_map(|(s, v)| Some((s, (*v)?)));
        let points: Vec<String> = known.map(|(s, v)| format!("{:.1},{:.1}", x(s), y(v))).collect();
        let _ = writeln!(
            out,
            "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='2'/>\
             <text x='{}' y='{:.1}' fill='{colour}'>{}</text>",
            points.join(" "),
            right + 14.0,
            top + 14.0 + 18.0 * i as f64,
            escape(&line.label)
        );
    }
    out + "</svg>\n"
}
