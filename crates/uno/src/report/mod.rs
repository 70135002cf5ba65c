//! The report of a run: one self-contained HTML file, no scripts, nothing fetched.

mod cluster_card;
mod data;
pub mod html;
mod overview;
mod svg;

use anyhow::Context;
use uno_store::RunDir;

use crate::learn::artefacts::files;
pub use data::ReportData;

/// Renders and writes `report.html`; gives its path.
///
/// # Errors
/// When the run has no plan yet, an artefact is damaged, or the file cannot be written.
pub fn write(run: &RunDir) -> anyhow::Result<std::path::PathBuf> {
    let data = ReportData::load(run)?;
    run.write_bytes(files::REPORT, render(&data).as_bytes()).context("writing the report")?;
    Ok(run.path(files::REPORT))
}

/// The whole page.
pub fn render(data: &ReportData) -> String {
    let clusters: String = data.plan.clusters.iter().map(|entry| cluster_card::render(data, entry)).collect();
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content='width=device-width,initial-scale=1'>\
         <meta name=color-scheme content='light dark'><title>UNO report</title><style>{}</style></head>\
         <body><main>{}<h2>Clusters in detail</h2>{clusters}{}</main></body></html>\n",
        include_str!("style.css"),
        overview::top(data),
        overview::costs(data),
    )
}
