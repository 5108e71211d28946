//! Loss and its parts over the epochs, the gradient's norm below.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;

use super::frame::{Axis, Frame, Swatch, legend, remarks, title};
use super::history::{History, Series};
use super::paper::{Paper, Stroke};
use super::scale::Scale;
use super::series::envelope;
use super::{Figure, Room, palette};
use crate::Result;

/// The figure `loss`.
pub struct Loss {
    pub title: String,
    pub history: History,
}

/// Of the parts; the total is black.
const COLOURS: [RGBColor; 6] = [palette::BLUE, palette::VERMILLION, palette::GREEN, palette::ORANGE, palette::PURPLE, palette::SKY];

/// Up to so many epochs, each mean has a dot.
const DOTS: usize = 40;

/// The plots' edges.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 600.0;

/// Parts of the width that show no more than four points each of a step's curve.
const COLUMNS: usize = 500;

impl Figure for Loss {
    fn size(&self, _: Room) -> (u32, u32) {
        (780, 580)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        title(paper, 20.0, &self.title)?;
        let losses: Vec<(&Series, Stroke)> = self.history.losses.iter().zip(strokes(&self.history.losses)).collect();
        let loss_scale = Scale::of_magnitudes(losses.iter().flat_map(|(series, _)| series.values()));
        let loss_title = if matches!(loss_scale, Scale::Log { .. }) { "loss (logarithmic)" } else { "loss" };
        let upper = self.frame(44.0, 340.0, Axis::new(loss_title, loss_scale));
        let norm = &self.history.grad_norm;
        let norm_scale = Scale::of_magnitudes(norm.values());
        let lower = self.frame(400.0, 490.0, Axis { ticks: norm_scale.ticks(3), ..Axis::new("gradient norm", norm_scale) });

        upper.draw(paper)?;
        lower.draw(paper)?;
        // All that is thin first: it stays behind every mean.
        let norm = (norm, Stroke::solid(palette::BLACK, 2.0));
        losses.iter().rev().try_for_each(|&(series, stroke)| self.steps(paper, &upper, series, stroke))?;
        self.steps(paper, &lower, norm.0, norm.1)?;
        losses.iter().rev().try_for_each(|&(series, stroke)| means(paper, &upper, series, stroke))?;
        means(paper, &lower, norm.0, norm.1)?;
        if norm.0.steps.is_empty() && norm.0.epochs.is_empty() {
            lower.instead(paper, "not recorded")?;
        }

        let lines: Vec<_> = losses.iter().map(|(series, stroke)| (Swatch::Line(*stroke), series.name.replace('_', " "))).collect();
        legend(paper, [RIGHT + 20.0, 44.0], &lines)?;
        remarks(paper, [20.0, 566.0], &self.remarks(loss_scale))
    }
}

impl Loss {
    fn frame<'a>(&self, top: f64, bottom: f64, y: Axis<'a>) -> Frame<'a> {
        let x = Axis::whole("epochs", Scale::Linear { low: 0.0, high: self.history.epochs.max(1) as f64 });
        Frame { left: LEFT, top, right: RIGHT, bottom, x, y }
    }

    fn steps<B: DrawingBackend>(&self, paper: &mut Paper<B>, frame: &Frame, series: &Series, stroke: Stroke) -> Result<()> {
        let thin = Stroke::solid(palette::tint(stroke.colour, 0.65), 0.5);
        frame.curve(paper, &envelope(&series.steps, self.history.epochs as f64, COLUMNS), thin)
    }

    fn remarks(&self, scale: Scale) -> Vec<String> {
        let parts = if self.history.losses.len() > 1 { "; parts are shown before weighting, the total is their weighted sum" } else { "" };
        let mut first = format!("Bold: mean over an epoch's steps, at the epoch's middle; pale: single steps{parts}.");
        if self.history.losses.iter().all(|s| s.epochs.is_empty()) {
            first = format!("Single steps only: no epoch was completed{parts}.");
        }
        let mut second = vec![];
        if let Scale::Log { low, .. } = scale
            && self.history.losses.iter().flat_map(Series::values).any(|v| v < low)
        {
            second.push(format!("Values below {low:e} stand on the lower axis."));
        }
        if self.history.diverged > 0 {
            second.push(format!("{} values of steps are not finite and leave gaps.", self.history.diverged));
        }
        std::iter::once(first).chain((!second.is_empty()).then(|| second.join(" "))).collect()
    }
}

/// The line of each series: the total black, the parts in colours, those beyond the palette dashed.
fn strokes(losses: &[Series]) -> Vec<Stroke> {
    let mut parts = 0;
    let mut next = |series: &Series| {
        if series.is_total() {
            return Stroke::solid(palette::BLACK, 2.0);
        }
        parts += 1;
        let colour = COLOURS[(parts - 1) % COLOURS.len()];
        if parts > COLOURS.len() { Stroke::dashed(colour, 2.0) } else { Stroke::solid(colour, 2.0) }
    };
    losses.iter().map(&mut next).collect()
}

fn means<B: DrawingBackend>(paper: &mut Paper<B>, frame: &Frame, series: &Series, stroke: Stroke) -> Result<()> {
    frame.curve(paper, &series.epochs, stroke)?;
    if series.epochs.len() > DOTS {
        return Ok(());
    }
    let places = series.epochs.iter().filter(|p| p[1].is_finite()).map(|&p| frame.at(p));
    places.into_iter().try_for_each(|at| paper.dot(at, 2.5, stroke.colour))
}
