//! The loss of FCDD (paper, Eqs. (1) and (3)), in the form of the authors' code for MVTec AD: on the upsampled map.

use tch::{Kind, Tensor};

use crate::train::Terms;

/// Added inside the logarithm: the loss of an anomaly that the network does not see at all is `-ln 1e-31 = 71.4`.
const EPS: f64 = 1e-31;

/// `sqrt(u^2 + 1) - 1`, the pseudo-Huber norm of one number, in a form that does not cancel for small u.
pub fn pseudo_huber(u: &Tensor) -> Tensor {
    let squared = u.to_kind(Kind::Float).square();
    &squared / ((&squared + 1.0).sqrt() + 1.0)
}

/// The loss of each image, `[B]` in f64, as a normal and an anomalous term: `mean(H (1 - g))`, and `-ln(1 - exp(-mean(H g)))`
/// where a pixel of g is anomalous.
///
/// `map` H `[B, S, S]`, not negative; `labels` g `[B, S, S]` in {0, 1}. Means are over all S x S pixels. Where g is constant, this is the
/// loss of whole images.
pub fn terms(map: &Tensor, labels: &Tensor) -> [Tensor; 2] {
    let mean = |x: &Tensor| x.mean_dim([1i64, 2].as_slice(), false, Kind::Double);
    let anomalous = labels.amax([1i64, 2].as_slice(), false).to_kind(Kind::Double); // [B]
    let normal = mean(&(map * (1.0 - labels)));
    // 1 - exp(-m) without cancelling; an image without an anomaly gets ln 1 = 0, and no gradient.
    let seen = (-mean(&(map * labels))).expm1().neg() + EPS;
    let seen: Tensor = seen * &anomalous + (1.0 - &anomalous);
    let missed = seen.log().neg();
    [normal, missed]
}

/// The mean of the images' losses, and both terms as they enter it.
pub fn total(map: &Tensor, labels: &Tensor) -> Terms {
    let [normal, missed] = terms(map, labels).map(|term| term.mean(Kind::Double));
    Terms::new(&normal + &missed).with_loss("normal", &normal).with_loss("anomalous", &missed)
}
