//! Locally aware patch features (Roth et al. 2022, section 3.1): each position of a stage described by its 3x3 neighbourhood.
//!
//! With `dims`, channels and neighbourhood together are averaged adaptively to `dims` numbers a stage, the stages are brought
//! to the first one's resolution, and all are averaged to `dims` again: for 1024 channels a stage's numbers are then plain 3x3
//! means. With `dims = 0` they are 3x3 means for every stage and all channels stay. What is beyond an edge counts as zero.

use harness::config::Nearest;
use tch::Tensor;

use crate::nn::Stages;

/// Patch features `[B, P, D]` of the configured stages, P = side^2 positions row by row.
pub fn features(stages: &Stages, cfg: &Nearest) -> Tensor {
    let all = [&stages.c1, &stages.c2, &stages.c3];
    let side = all[cfg.stages[0] - 1].size()[2];
    let parts: Vec<Tensor> = cfg
        .stages
        .iter()
        .map(|&stage| {
            let local = neighbourhoods(all[stage - 1], cfg.dims); // [B, D_i, s_i, s_i]
            local.upsample_bilinear2d([side, side], false, None, None).flatten(2, 3).transpose(1, 2) // [B, P, D_i]
        })
        .collect();
    let joined = Tensor::cat(&parts, 2).contiguous(); // [B, P, sum of D_i]
    if cfg.dims > 0 && parts.len() > 1 { joined.adaptive_avg_pool1d([cfg.dims]) } else { joined }
}

/// Numbers of a patch feature for stages of these widths.
pub fn width(widths: [i64; 3], cfg: &Nearest) -> i64 {
    if cfg.dims > 0 { cfg.dims } else { cfg.stages.iter().map(|s| widths[s - 1]).sum() }
}

/// `[B, C, s, s]` to `[B, dims or C, s, s]`.
fn neighbourhoods(map: &Tensor, dims: i64) -> Tensor {
    if dims == 0 {
        return map.avg_pool2d([3, 3], [1, 1], [1, 1], false, true, None);
    }
    let (b, _, side, _) = map.size4().expect("a stage is [B, C, s, s]");
    let unfolded = map.im2col([3, 3], [1, 1], [1, 1], [1, 1]).transpose(1, 2).contiguous(); // [B, s^2, 9 C], a channel's nine together
    unfolded.adaptive_avg_pool1d([dims]).transpose(1, 2).reshape([b, dims, side, side])
}
