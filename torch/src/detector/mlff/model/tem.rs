//! TEM, the texture enhancement module of STLNet (Zhu 2021): the statistics of one image's intensities, enhanced by
//! attention among quantization levels and given back to its pixels.
//!
//! After the cosine everything runs in float32 on rows, [B, K, C] with K = H*W, which are views of channels-last maps.

use harness::Result;
use harness::config::{AttentionScale, Model, Qco, Tem as Config};
use tch::{Kind, Tensor};

use super::qco::{self, Encoded};
use crate::nn::Mode;
use crate::nn::conv::{Conv2d, ConvShape};
use crate::nn::conv_bn::ConvBn;
use crate::nn::linear::Linear;
use crate::nn::norm::BatchNorm;
use crate::nn::param::Builder;

#[derive(Debug)]
pub struct Tem {
    config: Config,
    qco: Qco,
    enter: ConvBn,
    project: Conv2d,
    mlp: [Linear; 2],
    join: Linear,
    join_bn: BatchNorm,
    key: Linear,
    query: Linear,
    value: Linear,
    out: Linear,
    out_bn: BatchNorm,
}

/// One image's counting map and its description.
#[derive(Debug)]
pub struct Statistic {
    pub encoded: Encoded,
    /// Shares of the levels, [B, N].
    pub shares: Tensor,
    /// The description D, [B, N, C].
    pub description: Tensor,
}

impl Tem {
    /// Parameters `tem.…` over a map of `model.stl.width` channels.
    pub fn new(builder: &mut Builder, model: &Model) -> Result<Self> {
        let c = model.tem.clone();
        let width = c.channels;
        Ok(Self {
            enter: ConvBn::new(builder, "tem.enter.conv", "tem.enter.bn", ConvShape::new(model.stl.width, c.mid, 3))?,
            project: builder.conv("tem.project", ConvShape::new(c.mid, width, 1))?.in_float32(),
            mlp: [builder.linear("tem.mlp.0", 2, c.hidden)?, builder.linear("tem.mlp.1", c.hidden, width)?],
            join: builder.linear("tem.join.conv", 2 * width, width)?,
            join_bn: builder.bn("tem.join.bn", width)?,
            key: builder.linear("tem.key", width, width)?,
            query: builder.linear("tem.query", width, width)?,
            value: builder.linear("tem.value", width, width)?,
            out: builder.linear("tem.out.conv", width, c.out)?,
            out_bn: builder.bn("tem.out.bn", c.out)?,
            qco: model.qco.clone(),
            config: c,
        })
    }

    /// The reduced low-level map X0 [B, Ct, H, W] to the texture map T1 [B, out, H, W].
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let y = self.project.forward(&self.enter.forward(x, mode).leaky_relu_()); // [B, C, H, W]
        let (batch, channels, height, width) = y.size4().expect("a map has four dimensions");
        let rows = y.permute([0, 2, 3, 1]).reshape([batch, height * width, channels]); // [B, K, C]
        let statistic = self.describe(&rows, mode);
        let enhanced = self.enhance(&statistic.description, mode); // [B, N, out]
        let assigned = self.assign(&statistic.encoded, &enhanced); // [B, K, out]
        assigned.reshape([batch, height, width, -1]).permute([0, 3, 1, 2]) // [B, out, H, W]
    }

    /// Counts the levels of `rows` [B, K, C] and describes them.
    pub fn describe(&self, rows: &Tensor, mode: Mode) -> Statistic {
        let mean = rows.mean_dim([1i64].as_slice(), false, None::<Kind>); // [B, C]
        let dot = rows.bmm(&qco::unit(&mean).unsqueeze(2)); // [B, K, 1]
        let similarity = qco::cosine(&dot, &qco::norm(rows)).squeeze_dim(2); // [B, K]
        let encoded = qco::encode(&similarity, self.config.levels, &self.qco);
        let shares = encoded.shares(); // [B, N]
        let counting = Tensor::stack(&[&encoded.levels, &shares], 2); // [B, N, 2]
        let raised = self.mlp[1].forward(&self.mlp[0].forward(&counting).leaky_relu_()).relu_(); // [B, N, C]
        // The join's weight acts on the mean once an image instead of once a level.
        let (on_counts, on_mean) = self.join.split(self.config.channels);
        let mut joined = on_counts.forward(&raised); // [B, N, C]
        let _ = joined.g_add_(&on_mean.forward(&mean).unsqueeze(1)); // a product keeps no output
        let description = self.join_bn.forward_rows(&joined, mode).relu_();
        Statistic { encoded, shares, description }
    }

    /// Attention among levels: [B, N, C] to [B, N, out].
    pub fn enhance(&self, description: &Tensor, mode: Mode) -> Tensor {
        let (key, query, value) = (self.key.forward(description), self.query.forward(description), self.value.forward(description));
        let logits = key.bmm(&query.transpose(1, 2)); // [B, N, N']
        let logits = match self.config.attention_scale {
            AttentionScale::None => logits,
            AttentionScale::InvSqrt => logits / (self.config.channels as f64).sqrt(),
        };
        let gathered = logits.softmax(-1, None::<Kind>).bmm(&value); // [B, N, C]
        self.out_bn.forward_rows(&self.out.forward(&gathered), mode).relu_()
    }

    /// Each pixel's sum of what its levels carry: [B, N, out] to [B, K, out].
    pub fn assign(&self, encoded: &Encoded, enhanced: &Tensor) -> Tensor {
        let assigned = encoded.encoding.bmm(enhanced);
        if self.config.normalize_assign {
            assigned / (encoded.encoding.sum_dim_intlist([2i64].as_slice(), true, None::<Kind>) + qco::EPS)
        } else {
            assigned
        }
    }
}
