//! The charts of a report as one SVG image.

use std::fmt::Write as _;

use crate::sim::report::Report;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 60.0;

/// Continuity by second above the lag histogram, with axes and figures.
pub fn draw(report: &Report) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        WIDTH + 2.0 * MARGIN,
        2.0 * HEIGHT + 4.0 * MARGIN
    );
    let title = format!(
        "{}: {} listeners, {} s, seed {}; continuity {:.6}, lag p50 {:.0} ms, p99 {:.0} ms, host cost {:.2}",
        escape(&report.name),
        report.listeners,
        report.seconds,
        report.seed,
        report.continuity.mean,
        report.lag_ms.p50,
        report.lag_ms.p99,
        report.host_cost
    );
    _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"30\" font-size=\"16\">{title}</text>");
    continuity(report, &mut svg);
    lag(report, &mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn continuity(report: &Report, svg: &mut String) {
    let floor = report.floor();
    let bottom = MARGIN + HEIGHT;
    frame(svg, MARGIN, "continuity by second", &format!("{floor:.4}"), "1");
    let step = WIDTH / report.continuity_by_second.len().max(1) as f64;
    let points = report
        .continuity_by_second
        .iter()
        .enumerate()
        .filter_map(|(second, value)| {
            let height = ((*value)? - floor) / (1.0 - floor) * HEIGHT;
            Some(format!(
                "{:.1},{:.1} ",
                MARGIN + (second as f64 + 0.5) * step,
                bottom - height
            ))
        });
    let points: String = points.collect();
    _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"#2266aa\" stroke-width=\"2\"/>"
    );
}

fn lag(report: &Report, svg: &mut String) {
    let top = 2.0 * MARGIN + HEIGHT + 20.0;
    let most = report.lag_histogram.iter().copied().max().unwrap_or(0).max(1) as f64;
    frame(
        svg,
        top,
        &format!("chunks by lag, 0 to {:.0} ms", report.lag_ms.p99 * 2.0),
        "0",
        &format!("{most:.0}"),
    );
    let step = WIDTH / report.lag_histogram.len().max(1) as f64;
    for (at, count) in report.lag_histogram.iter().enumerate() {
        let height = *count as f64 / most * HEIGHT;
        let x = MARGIN + at as f64 * step;
        let (y, width) = (top + HEIGHT - height, step - 2.0);
        _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"#66aa44\"/>"
        );
    }
}

fn frame(svg: &mut String, top: f64, title: &str, low: &str, high: &str) {
    let bottom = top + HEIGHT;
    _ = writeln!(
        svg,
        "<rect x=\"{MARGIN}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#888\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\">{title}</text>\n\
         <text x=\"4\" y=\"{bottom}\">{low}</text>\n<text x=\"4\" y=\"{}\">{high}</text>",
        top - 6.0,
        top + 12.0
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
