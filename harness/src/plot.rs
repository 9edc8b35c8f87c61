//! A comparison as a picture: latencies over rates where a sweep is in it, else ratios as bars.

use crate::compare::series::Measure;
use crate::compare::spread::short;
use crate::compare::{Comparison, Row, Winner};
use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use std::fmt::Display;
use std::ops::Range;
use thiserror::Error;

/// A picture that cannot be drawn.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct PlotError(String);

fn failed(error: impl Display) -> PlotError {
    PlotError(error.to_string())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Pixels.
const WIDTH: u32 = 900;
const PANEL_HEIGHT: u32 = 420;
const BAR_HEIGHT: u32 = 22;
const LABELS_WIDTH: u32 = 330;
const FONT: (&str, i32) = ("sans-serif", 13);

const BETTER: RGBColor = RGBColor(46, 125, 50);
const WORSE: RGBColor = RGBColor(198, 40, 40);
const NO_DIFFERENCE: RGBColor = RGBColor(140, 140, 140);

/// Percentiles that are drawn over rates, with their colours.
const PERCENTILES: [(&str, RGBColor); 3] =
    [("p50", RGBColor(25, 118, 210)), ("p99", RGBColor(245, 124, 0)), ("max", RGBColor(123, 31, 162))];

/// The comparison as an SVG.
///
/// # Errors
/// Where the drawing library cannot.
pub fn draw(comparison: &Comparison) -> Result<String, PlotError> {
    let sweeps = sweeps(&comparison.rows);
    if sweeps.is_empty() {
        return draw_ratios(&comparison.rows);
    }
    let mut svg = String::new();
    {
        let panels = u32::try_from(sweeps.len()).map_err(failed)?;
        let root = SVGBackend::with_string(&mut svg, (WIDTH, PANEL_HEIGHT * panels)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        for (sweep, area) in sweeps.iter().zip(root.split_evenly((sweeps.len(), 1))) {
            sweep.draw(&area)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// The latencies of a scenario by one clock, at several rates.
struct Sweep<'a> {
    scenario: &'a str,
    clock: &'a str,
    /// Those of [`PERCENTILES`], in the order of rates.
    rows: Vec<(f64, &'static str, &'a Row)>,
}

fn sweeps(rows: &[Row]) -> Vec<Sweep<'_>> {
    let mut sweeps: Vec<Sweep<'_>> = Vec::new();
    for row in rows {
        let (Some(rate), Measure::Latency { clock, percentile }) =
            (row.subject.offered, &row.subject.measure)
        else {
            continue;
        };
        if !PERCENTILES.iter().any(|(drawn, _)| drawn == percentile) {
            continue;
        }
        let scenario = row.subject.scenario.as_str();
        match sweeps.iter_mut().find(|sweep| sweep.scenario == scenario && sweep.clock == clock) {
            Some(sweep) => sweep.rows.push((rate, percentile, row)),
            None => sweeps.push(Sweep { scenario, clock, rows: vec![(rate, percentile, row)] }),
        }
    }
    sweeps.iter_mut().for_each(|sweep| sweep.rows.sort_by(|one, two| one.0.total_cmp(&two.0)));
    // One rate makes no line.
    sweeps.retain(|sweep| sweep.rows.first().map(|row| row.0) < sweep.rows.last().map(|row| row.0));
    sweeps
}

impl Sweep<'_> {
    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let rates = around(self.rows.iter().map(|(rate, ..)| *rate));
        let latencies = around(self.rows.iter().flat_map(|(.., row)| [row.a.median, row.b.median]));
        let caption = format!(
            "{}: scheduled send to {}; A dashed, B solid, medians of runs",
            self.scenario, self.clock
        );
        let mut chart = ChartBuilder::on(area)
            .caption(caption, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(rates.log_scale(), latencies.log_scale())
            .map_err(failed)?;
        labelled(&mut chart, "events offered a second", "ms")?;
        for (percentile, colour) in PERCENTILES {
            let rows = || self.rows.iter().filter(move |(_, of, _)| *of == percentile);
            let a = rows().map(|(rate, _, row)| (*rate, shown(row.a.median)));
            let b = rows().map(|(rate, _, row)| (*rate, shown(row.b.median)));
            chart.draw_series(DashedLineSeries::new(a, 6, 4, colour.into())).map_err(failed)?;
            chart
                .draw_series(LineSeries::new(b, colour))
                .map_err(failed)?
                .label(percentile)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(FONT)
            .background_style(WHITE)
            .draw()
            .map_err(failed)
    }
}

fn labelled<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    x: &str,
    y: &str,
) -> Result<(), PlotError>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .label_style(FONT)
        .draw()
        .map_err(failed)
}

/// A logarithmic axis has no zero: what is less than a microsecond is drawn as one.
fn shown(milliseconds: f64) -> f64 {
    milliseconds.max(0.001)
}

/// A range with room on both sides.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .map(shown)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    low / 1.3..high * 1.3
}

/// A bar for each row, from 1 to its ratio.
fn draw_ratios(rows: &[Row]) -> Result<String, PlotError> {
    let bars: Vec<(&Row, f64)> = rows
        .iter()
        .filter_map(|row| Some((row, row.ratio().filter(|ratio| ratio.is_finite() && *ratio > 0.0)?)))
        .collect();
    let farthest = bars.iter().map(|(_, ratio)| ratio.ln().abs()).fold(0.2, f64::max).exp() * 1.1;
    let count = u32::try_from(bars.len()).map_err(failed)?;
    let mut svg = String::new();
    {
        let size = (WIDTH, 100 + BAR_HEIGHT * count);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(
                "B / A, medians of runs; green: B is better, red: A, grey: the runs overlap",
                ("sans-serif", 16),
            )
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(LABELS_WIDTH)
            .build_cartesian_2d((1.0 / farthest..farthest).log_scale().base(2.0), f64::from(count)..0.0)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc("B / A")
            .x_label_formatter(&|ratio| short(*ratio))
            .label_style(FONT)
            .draw()
            .map_err(failed)?;
        let boxes = bars.iter().enumerate().map(|(place, (row, ratio))| {
            let middle = place as f64 + 0.5;
            let corners = [(1.0_f64.min(*ratio), middle - 0.35), (1.0_f64.max(*ratio), middle + 0.35)];
            Rectangle::new(corners, colour(row.winner()).filled())
        });
        chart.draw_series(boxes).map_err(failed)?;
        for (place, (row, _)) in bars.iter().enumerate() {
            let (_, middle) = chart.backend_coord(&(1.0, place as f64 + 0.5));
            root.draw(&Text::new(title(row), (12, middle - FONT.1 / 2), FONT)).map_err(failed)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn title(row: &Row) -> String {
    format!("{}: {}", row.subject.scenario(), row.subject.measure.name())
}

fn colour(winner: Winner) -> RGBColor {
    match winner {
        Winner::A => WORSE,
        Winner::B => BETTER,
        Winner::Neither => NO_DIFFERENCE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::series::Subject;
    use crate::compare::spread::Spread;
    use crate::report::Better;

    fn row(offered: Option<f64>, measure: Measure, a: f64, b: f64) -> Row {
        let subject = Subject {
            scenario: "m".to_owned(),
            offered,
            measure,
            unit: "ms".to_owned(),
            better: Better::Lower,
        };
        let spread = |value| Spread::of(&[value]).unwrap();
        Row { subject, a: spread(a), b: spread(b) }
    }

    fn latency(offered: f64, percentile: &'static str) -> Row {
        let measure = Measure::Latency { clock: "commit".to_owned(), percentile };
        row(Some(offered), measure, 2.0, 0.0)
    }

    fn drawn(rows: Vec<Row>) -> String {
        draw(&Comparison { rows, left_out: Vec::new() }).unwrap()
    }

    #[test]
    fn a_sweep_is_drawn_over_rates() {
        let rates = [500.0, 1000.0, 2000.0];
        let rows = rates.iter().flat_map(|rate| [latency(*rate, "p50"), latency(*rate, "p99.9")]);
        let svg = drawn(rows.collect());
        assert!(svg.starts_with("<svg") && svg.contains("m: scheduled send to commit"), "{svg}");
        assert!(svg.contains("<polyline"), "{svg}");
    }

    #[test]
    fn one_rate_is_drawn_as_ratios() {
        let figure = |name: &str, a, b| row(None, Measure::Figure(name.to_owned()), a, b);
        let rows = vec![latency(500.0, "p50"), figure("memory", 2.0, 3.0), figure("nothing", 0.0, 3.0)];
        let svg = drawn(rows);
        assert!(svg.contains("m: memory") && svg.contains("#C62828"), "{svg}");
        assert!(!svg.contains("nothing"), "{svg}");
    }

    #[test]
    fn nothing_is_an_empty_picture() {
        assert!(drawn(Vec::new()).starts_with("<svg"));
    }
}
