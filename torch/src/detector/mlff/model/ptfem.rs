//! PTFEM, the pyramid texture feature extraction module of STLNet (Zhu 2021): co-occurrences of quantized intensities in
//! regions of several sizes, after the grey-level co-occurrence matrices of classical texture analysis.
//!
//! What the module's equations concatenate and then map linearly is mapped first and summed here, and what they upsample and
//! then map by a 1x1 convolution is mapped first and upsampled: equal up to rounding, at a fraction of the memory.

use harness::Result;
use harness::config::{MemoryFormat, Model, Offset, Qco};
use tch::{Kind, Tensor};

use super::qco;
use crate::nn::Mode;
use crate::nn::conv::{Conv2d, ConvShape, arrange};
use crate::nn::linear::Linear;
use crate::nn::norm::BatchNorm;
use crate::nn::param::Builder;

#[derive(Debug)]
pub struct Ptfem {
    input: Conv2d,
    branches: Vec<Branch>,
    /// Of the branches' concatenation, in their order.
    fuse: Linear,
    fuse_bn: BatchNorm,
}

impl Ptfem {
    /// Parameters `ptfem.…` over the concatenation of TEM's map and X0.
    pub fn new(builder: &mut Builder, model: &Model) -> Result<Self> {
        let c = &model.ptfem;
        let input = builder.conv("ptfem.in", ConvShape::new(model.tem.out + model.stl.width, c.input, 1))?.in_float32();
        let branches = c.scales.iter().map(|&scale| Branch::new(builder, model, scale)).collect::<Result<Vec<_>>>()?;
        let fuse = builder.linear("ptfem.fuse.conv", c.mid * c.scales.len() as i64, c.out)?;
        Ok(Self { input, branches, fuse, fuse_bn: builder.bn("ptfem.fuse.bn", c.out)? })
    }

    /// T1 [B, C1, H, W] and X0 [B, Ct, H, W] to T2 [B, out, H, W]; each scale divides H and W.
    pub fn forward(&self, t1: &Tensor, x0: &Tensor, mode: Mode) -> Tensor {
        let map = self.input.forward_parts(&[t1.shallow_clone(), x0.shallow_clone()]); // [B, C, H, W]
        let (_, _, height, width) = map.size4().expect("a map has four dimensions");
        self.fuse(&self.describe(&map, mode), [height, width], mode)
    }

    /// Descriptions of the regions of `map` V [B, C, H, W] for each branch, [B, s, s, mid].
    pub fn describe(&self, map: &Tensor, mode: Mode) -> Vec<Tensor> {
        let rows = map.permute([0, 2, 3, 1]).contiguous(); // [B, H, W, C]
        let norms = qco::norm(&rows).squeeze_dim(3); // [B, H, W]
        let batch = rows.size()[0];
        let branches = self.branches.iter().zip(self.means(map));
        branches
            .map(|(branch, mean)| {
                let similarities = branch.similarities(&rows, &norms, &mean); // [B*R, h, w]
                branch.describe(&similarities, &mean, mode).reshape([batch, branch.scale, branch.scale, -1])
            })
            .collect()
    }

    /// The 1x1 convolution of the upsampled descriptions' concatenation, its norm and ReLU: [B, out, H, W].
    fn fuse(&self, descriptions: &[Tensor], [height, width]: [i64; 2], mode: Mode) -> Tensor {
        let widths: Vec<i64> = descriptions.iter().map(|d| d.size()[3]).collect();
        let mapped = descriptions.iter().zip(self.fuse.weight.split_with_sizes(&widths, 1)).map(|(description, weight)| {
            let mapped = Linear { weight, bias: None }.forward(description).permute([0, 3, 1, 2]); // [B, out, s, s]
            // One cell is constant when upsampled: broadcasting does that without a copy.
            if mapped.size()[2] == 1 { mapped } else { mapped.upsample_bilinear2d([height, width], true, None, None) }
        });
        let sum = mapped.reduce(|sum, mapped| sum + mapped).expect("at least one scale");
        let sum = sum.expand([sum.size()[0], -1, height, width], false);
        self.fuse_bn.forward(&arrange(&sum, MemoryFormat::ChannelsLast), mode).relu_()
    }

    /// The regions' means for each branch, [B, s, s, C]; where the regions of a finer branch nest, from its means.
    fn means(&self, map: &Tensor) -> Vec<Tensor> {
        let (height, width) = (map.size()[2], map.size()[3]);
        let mut order: Vec<usize> = (0..self.branches.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(self.branches[i].scale));
        let mut pooled: Vec<Option<Tensor>> = order.iter().map(|_| None).collect();
        for &i in &order {
            let scale = self.branches[i].scale;
            let finer = order.iter().rev().filter_map(|&j| pooled[j].as_ref()).find(|p| p.size()[2] % scale == 0);
            pooled[i] = Some(match finer {
                Some(finer) if finer.size()[2] == scale => finer.shallow_clone(),
                Some(finer) => pool(finer, [finer.size()[2] / scale; 2]),
                None => pool(map, [height / scale, width / scale]),
            });
        }
        pooled.into_iter().map(|p| p.expect("each branch was visited").permute([0, 2, 3, 1]).contiguous()).collect()
    }
}

/// Means over blocks of `size` = [h, w].
fn pool(map: &Tensor, size: [i64; 2]) -> Tensor {
    map.avg_pool2d(size, size, [0, 0], false, true, None)
}

/// One scale: the map in `scale * scale` regions.
#[derive(Debug)]
struct Branch {
    scale: i64,
    levels: i64,
    offset: Offset,
    qco: Qco,
    mlp: [Linear; 2],
    join: [Linear; 2],
    join_bn: [BatchNorm; 2],
}

impl Branch {
    fn new(builder: &mut Builder, model: &Model, scale: i64) -> Result<Self> {
        let c = &model.ptfem;
        let prefix = format!("ptfem.branch{scale}");
        Ok(Self {
            scale,
            levels: c.levels,
            offset: c.offset,
            qco: model.qco.clone(),
            mlp: [builder.linear(&format!("{prefix}.mlp.0"), 3, c.hidden)?, builder.linear(&format!("{prefix}.mlp.1"), c.hidden, c.mid)?],
            join: [
                builder.linear(&format!("{prefix}.join.0.conv"), c.input + c.mid, c.mid)?,
                builder.linear(&format!("{prefix}.join.1.conv"), c.mid, c.mid)?,
            ],
            join_bn: [builder.bn(&format!("{prefix}.join.0.bn"), c.mid)?, builder.bn(&format!("{prefix}.join.1.bn"), c.mid)?],
        })
    }

    /// Cosine of each pixel and its region's mean, by region: `rows` [B, H, W, C], `norms` [B, H, W] and `mean` [B, s, s, C]
    /// to [B*R, h, w].
    fn similarities(&self, rows: &Tensor, norms: &Tensor, mean: &Tensor) -> Tensor {
        let s = self.scale;
        let (batch, height, width, channels) = rows.size4().expect("rows of a map have four dimensions");
        let (h, w) = (height / s, width / s);
        // Each row of regions against all its s means at once, of which a pixel then takes its own: no copy of the map.
        let directions = qco::unit(mean).reshape([batch * s, s, channels]).transpose(1, 2); // [B*s, C, s]
        let dots = rows.view([batch * s, h * width, channels]).bmm(&directions); // [B*s, h*W, s]
        let own = dots.view([batch, s, h, s, w, s]).diagonal(0, 3, 5); // [B, s, h, w, s]
        let own = own.permute([0, 1, 4, 2, 3]); // [B, s, s, h, w]
        let norms = norms.view([batch, s, h, s, w]).permute([0, 1, 3, 2, 4]); // [B, s, s, h, w]
        qco::cosine(&own, &norms).reshape([batch * s * s, h, w])
    }

    /// `similarities` [B*R, h, w] and the regions' means [B, s, s, C] to descriptions [B*R, mid].
    fn describe(&self, similarities: &Tensor, mean: &Tensor, mode: Mode) -> Tensor {
        let (regions, h, w) = similarities.size3().expect("regions, rows, columns");
        let n = self.levels;
        let encoded = qco::encode(&similarities.reshape([regions, h * w]), n, &self.qco);
        let together = co_occurrence(&encoded.encoding.view([regions, h, w, n]), self.offset); // [B*R, N, N]
        let total = together.sum_dim_intlist([1i64, 2].as_slice(), true, None::<Kind>);
        let shares = together / (total + qco::EPS);
        let first = encoded.levels.unsqueeze(2).expand([regions, n, n], false);
        let second = encoded.levels.unsqueeze(1).expand([regions, n, n], false);
        // Each region's pairs of levels are an N x N map of three channels.
        let pairs = Tensor::stack(&[first, second, shares], 3).permute([0, 3, 1, 2]); // [B*R, 3, N, N]
        let raised = self.mlp[1].forward_map(&self.mlp[0].forward_map(&pairs).leaky_relu_()).relu_(); // [B*R, mid, N, N]
        let (on_mean, on_pairs) = self.join[0].split(mean.size()[3]);
        let mean = on_mean.forward(&mean.reshape([regions, -1])).view([regions, -1, 1, 1]);
        let mut joined = on_pairs.forward_map(&raised); // [B*R, mid, N, N]
        let _ = joined.g_add_(&mean); // in place: a convolution keeps no output
        let joined = self.join_bn[0].forward(&joined, mode).relu_();
        let rows = joined.permute([0, 2, 3, 1]).reshape([regions, n * n, -1]); // [B*R, N*N, mid]
        self.join_bn[1].mean_of_linear(&rows, &self.join[1], mode) // [B*R, mid]
    }
}

/// How often levels u and v are `offset` apart: `sum_p E_u(p) E_v(p + offset)` over the pairs inside each region.
/// `encoding` [G, h, w, N] to [G, N, N].
pub fn co_occurrence(encoding: &Tensor, offset: Offset) -> Tensor {
    match offset {
        Offset::One(offset) => shifted_product(encoding, offset),
        Offset::Mean(_) => (shifted_product(encoding, [0, 1]) + shifted_product(encoding, [1, 0])) * 0.5,
    }
}

fn shifted_product(encoding: &Tensor, [dy, dx]: [i64; 2]) -> Tensor {
    let (groups, h, w, n) = encoding.size4().expect("regions, rows, columns, levels");
    let (rows, columns) = (h - dy.abs(), w - dx.abs());
    if rows <= 0 || columns <= 0 {
        return encoding.new_zeros([groups, n, n], (encoding.kind(), encoding.device()));
    }
    let window = |y: i64, x: i64| encoding.narrow(1, y, rows).narrow(2, x, columns).reshape([groups, rows * columns, n]);
    let first = window((-dy).max(0), (-dx).max(0));
    let second = window(dy.max(0), dx.max(0));
    first.transpose(1, 2).bmm(&second)
}
