//! From cells to pixels by a sum of Gaussians, one at the centre of each cell's receptive field.
//!
//! The authors' transposed convolution with a Gaussian kernel, cut to the image. The kernel is an outer product, so that it is two
//! products of matrices: `H = A h A'`, where row y of A holds what each row of cells gives to pixel row y. It is not normalised: in the
//! middle of the image a constant map comes out multiplied by the gain (3.7 for VGG-11), in the corners by a quarter of that.

use harness::config::FcddBorder;
use tch::{Device, Kind, Tensor};

/// Pixels from one cell to the next, of all networks here.
const JUMP: i64 = 8;

/// Deviation of the Gaussian, px of an input of [`REFERENCE`] px; it scales with the input.
const STD: f64 = 12.0;
const REFERENCE: f64 = 224.0;

/// How a network's cells lie on its input, as far as the kernel depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// Taps of the kernel: the side of a cell's receptive field, px.
    pub taps: i64,
    /// Centre of the first cell's receptive field, px, rounded down.
    pub shift: i64,
    /// Taps of the kernel whose sum at [`STD`] this one has. The sum is the scale of the map, and so the balance of the loss.
    pub as_much_as: i64,
}

/// The map of a network's cells as an image.
#[derive(Debug)]
pub struct Upsampling {
    /// A, `[S, S/8]`.
    rows: Tensor,
    /// What the sum is multiplied by, `[S, S]`; `None` = 1.
    correction: Option<Tensor>,
}

impl Upsampling {
    /// For inputs of `size` px.
    pub fn new(reception: Reception, size: usize, border: FcddBorder, device: Device) -> Self {
        let kernel = kernel(reception, STD * size as f64 / REFERENCE);
        let (pixels, cells) = (size as i64, size as i64 / JUMP);
        // The first tap that is not cut off: the cut leaves the kernel's middle at the first cell's centre.
        let first = (reception.taps - 1) / 2 - reception.shift;
        let tap = |y: i64, cell: i64| kernel.get(usize::try_from(y + first - JUMP * cell).ok()?).copied();
        let rows: Vec<f64> = (0..pixels).flat_map(|y| (0..cells).map(move |cell| (y, cell))).map(|(y, cell)| tap(y, cell).unwrap_or(0.0)).collect();
        let rows = Tensor::from_slice(&rows).view([pixels, cells]); // f64
        let correction = (border == FcddBorder::Normalized).then(|| {
            let side: f64 = kernel.iter().sum::<f64>() / JUMP as f64;
            let ones = rows.sum_dim_intlist([1i64].as_slice(), true, None::<Kind>); // [S, 1]
            (side * side / ones.matmul(&ones.tr())).to_kind(Kind::Float).to_device(device)
        });
        Self { rows: rows.to_kind(Kind::Float).to_device(device), correction }
    }

    /// `[B, S/8, S/8]` to `[B, S, S]`, f32.
    pub fn forward(&self, cells: &Tensor) -> Tensor {
        let sum = self.rows.matmul(cells).matmul(&self.rows.tr());
        match &self.correction {
            None => sum,
            Some(correction) => sum * correction,
        }
    }
}

/// The taps for a deviation, scaled to the sum that the authors' kernel has at theirs.
fn kernel(reception: Reception, std: f64) -> Vec<f64> {
    let taps = gaussian(reception.taps, std);
    let scale = gaussian(reception.as_much_as, STD).iter().sum::<f64>() / taps.iter().sum::<f64>();
    taps.into_iter().map(|tap| scale * tap).collect()
}

/// A Gaussian of height 1 at whole distances from its middle. Of an even number of taps the middle stands twice, and all are halved:
/// the authors' rule.
fn gaussian(taps: i64, std: f64) -> Vec<f64> {
    let height = |distance: i64| (-0.5 * (distance as f64 / std).powi(2)).exp();
    let reach = (taps - 1) / 2;
    match taps % 2 {
        1 => (-reach..=reach).map(height).collect(),
        _ => (-reach..=0).chain(0..=reach).map(|distance| height(distance) / 2.0).collect(),
    }
}
