//! Batch normalisation.

use tch::{Kind, Tensor};

use super::linear::Linear;

/// Whose statistics batch norms use: the batch's, moving the running ones, or the running ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Train,
    Eval,
}

/// Share of the new statistics in the running ones.
const MOMENTUM: f64 = 0.1;
/// What is added to variances unless a network says otherwise.
pub const EPS: f64 = 1e-5;

/// Batch norm over all dimensions but the channels. In [`Mode::Train`] it uses the batch's statistics and moves the
/// running ones; in [`Mode::Eval`] it uses the running ones.
#[derive(Debug)]
pub struct BatchNorm {
    /// `[C]`, as the other three.
    pub weight: Tensor,
    pub bias: Tensor,
    pub mean: Tensor,
    pub var: Tensor,
    /// Added to the variance.
    pub eps: f64,
}

impl BatchNorm {
    /// `x` [B, C, H, W] or [B, C].
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let (weight, bias, mean, var) = (Some(&self.weight), Some(&self.bias), Some(&self.mean), Some(&self.var));
        x.batch_norm(weight, bias, mean, var, mode == Mode::Train, MOMENTUM, self.eps, true)
    }

    /// Over the last dimension of `x` [..., C]: seen as one channels-last map, for which libtorch has its fast path.
    pub fn forward_rows(&self, x: &Tensor, mode: Mode) -> Tensor {
        let shape = x.size();
        let map = x.reshape([1, -1, 1, self.weight.size()[0]]).permute([0, 3, 1, 2]); // [1, C, rows, 1]
        self.forward(&map, mode).permute([0, 2, 3, 1]).reshape(shape)
    }

    /// The mean over P of this norm of a linear map: `x` [G, P, Cin] to [G, C].
    ///
    /// The mean commutes with both maps, and the variance of the linear map's output follows from the covariance of its
    /// input, so that the output, [G, P, C], is never made.
    pub fn mean_of_linear(&self, x: &Tensor, linear: &Linear, mode: Mode) -> Tensor {
        let (_, inner, cin) = x.size3().expect("groups, members, channels");
        let means = x.mean_dim([1i64].as_slice(), false, None::<Kind>); // [G, Cin]
        let y = linear.forward(&means); // [G, C]
        let (mean, var) = match mode {
            Mode::Eval => (self.mean.shallow_clone(), self.var.shallow_clone()),
            Mode::Train => {
                let rows = x.reshape([-1, cin]);
                let count = (means.size()[0] * inner) as f64;
                let centre = means.mean_dim([0i64].as_slice(), true, None::<Kind>); // [1, Cin]
                let covariance = gram(&rows) / count - centre.tr().matmul(&centre); // [Cin, Cin]
                let var = (linear.weight.matmul(&covariance) * &linear.weight)
                    .sum_dim_intlist([1i64].as_slice(), false, None::<Kind>)
                    .clamp_min(0.0);
                let mean = y.mean_dim([0i64].as_slice(), false, None::<Kind>); // [C]
                self.move_running(&mean, &var, count);
                (mean, var)
            }
        };
        (y - mean) * (&self.weight / (var + self.eps).sqrt()) + &self.bias
    }

    /// Mixes a batch's statistics over `count` values into the running ones, the variance without bias.
    fn move_running(&self, mean: &Tensor, var: &Tensor, count: f64) {
        let _guard = tch::no_grad_guard();
        let (mut running_mean, mut running_var) = (self.mean.shallow_clone(), self.var.shallow_clone());
        let _ = running_mean.lerp_(mean, MOMENTUM);
        let _ = running_var.lerp_(&(var * (count / (count - 1.0))), MOMENTUM);
    }
}

/// `rows' rows` of `rows` [K, C], for losses whose gradient at it is symmetric: both factors then receive the same gradient,
/// so that one of them is computed and counted twice, and the other is a constant.
fn gram(rows: &Tensor) -> Tensor {
    let product = rows.detach().tr().matmul(rows); // [C, C]
    &product * 2.0 - product.detach()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// A norm at its start, with gradients.
    fn fresh(channels: i64) -> BatchNorm {
        let full = |value: f64| Tensor::full([channels], value, (Kind::Float, Device::Cpu));
        let (weight, bias) = (full(1.0).set_requires_grad(true), full(0.0).set_requires_grad(true));
        BatchNorm { weight, bias, mean: full(0.0), var: full(1.0), eps: EPS }
    }

    #[test]
    fn the_mean_of_a_normed_linear_map_needs_no_output_of_that_map() {
        let build = || {
            let weight = (Tensor::arange(12, (Kind::Float, Device::Cpu)) * 0.7).sin().reshape([4, 3]).set_requires_grad(true);
            (fresh(4), Linear { weight, bias: None })
        };
        let ((fast, linear), (slow, same)) = (build(), build());
        for mode in [Mode::Train, Mode::Eval] {
            let x = (Tensor::arange(5 * 7 * 3, (Kind::Float, Device::Cpu)).sin() + 0.4).reshape([5, 7, 3]);
            let (a, b) = (x.copy().set_requires_grad(true), x.copy().set_requires_grad(true));
            let y = fast.mean_of_linear(&a, &linear, mode);
            let twin = slow.forward_rows(&same.forward(&b), mode).mean_dim([1i64].as_slice(), false, None::<Kind>);
            assert!((&y - &twin).abs().max().double_value(&[]) < 1e-5);
            let weight = Tensor::arange(20, (Kind::Float, Device::Cpu)).cos().reshape([5, 4]);
            (y * &weight).sum(Kind::Float).backward();
            (twin * &weight).sum(Kind::Float).backward();
            assert!((a.grad() - b.grad()).abs().max().double_value(&[]) < 1e-5);
            assert!((linear.weight.grad() - same.weight.grad()).abs().max().double_value(&[]) < 1e-4);
            assert!((&fast.mean - &slow.mean).abs().max().double_value(&[]) < 1e-6);
            assert!((&fast.var - &slow.var).abs().max().double_value(&[]) < 1e-5);
        }
    }

    #[test]
    fn rows_are_normalised_like_maps_and_move_the_same_running_statistics() {
        let (rows, maps) = (fresh(3), fresh(3));
        let x = Tensor::arange(2 * 5 * 3, (Kind::Float, Device::Cpu)).sin().reshape([2, 5, 3]);
        let y = rows.forward_rows(&x, Mode::Train);
        let twin = maps.forward(&x.permute([0, 2, 1]).unsqueeze(-1).contiguous(), Mode::Train).squeeze_dim(-1).permute([0, 2, 1]);
        assert!((y - twin).abs().max().double_value(&[]) < 1e-5);
        assert!((&rows.var - &maps.var).abs().max().double_value(&[]) < 1e-6);
        assert!((&rows.mean - &maps.mean).abs().max().double_value(&[]) < 1e-6);
        assert!(rows.mean.abs().max().double_value(&[]) > 0.0);
    }
}
