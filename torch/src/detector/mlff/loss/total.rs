//! The total loss, Eq. (8): `l = alpha l_f + beta l_s + xi l_fs`, and its terms for the log.

use harness::config::{self, LabelResolution};
use harness::{Error, Result};
use rand::Rng;
use tch::{Kind, Tensor};

use super::consistency::{RowEntropies, consistency};
use super::feature::{distance, feature};
use super::maps::{real, sizes};
use super::pair::pair_hinge;
use super::score::{activate, normal_hinge};

/// The loss of one batch and what it is made of, unweighted; every tensor is 0-dimensional, float64 and on the device.
#[derive(Debug)]
pub struct Terms {
    /// What is minimised.
    pub total: Tensor,
    pub feature: Tensor,
    /// Both terms of the score constraint; `None` if it is off.
    pub score_normal: Option<Tensor>,
    pub score_pair: Option<Tensor>,
    /// `None` if it is off.
    pub consistency: Option<Tensor>,
    pub entropies: Option<RowEntropies>,
}

/// The total loss of features [B, C, h, w] and raw scores [B, 1, h, w] under `mask` [B, 1, H, W].
///
/// With `label_resolution = "input"` distances and activated scores are upsampled bilinearly to H x W; with `"feature"` the
/// mask is max-pooled to h x w. The consistency term always works on the map. A term that is off is not computed; a weight
/// of 0 keeps its term computed and in the graph, so that its parameters get a gradient of exactly 0 rather than none.
/// `draw` is the stream of this step: only `pair_mode = "random"` reads it.
///
/// # Errors
/// No scores though a term needs them; sizes of map, mask and patch that do not fit together.
pub fn total(features: &Tensor, scores: Option<&Tensor>, mask: &Tensor, cfg: &config::Loss, draw: &mut impl Rng) -> Result<Terms> {
    let needed = |key: &str| {
        let remedy = "give the network its score head, or turn the term off";
        scores.ok_or_else(|| Error::config(format!("{key} = true needs scores, and the network has none"), remedy))
    };
    let labels = match cfg.label_resolution {
        LabelResolution::Input => real(mask),
        LabelResolution::Feature => pool_mask(mask, features)?,
    };
    let feature = feature(&at_size_of(&distance(features), &labels, cfg), &labels, &cfg.feature);
    let mut weighted = vec![&feature * cfg.alpha];
    let (mut score_normal, mut score_pair) = (None, None);
    if cfg.score.enabled {
        let s = at_size_of(&activate(needed("loss.score.enabled")?, cfg.score.activation), &labels, cfg);
        let (normal, pair) = (normal_hinge(&s, &labels, cfg.score.gamma), pair_hinge(&s, &labels, &cfg.score, draw));
        weighted.push((&normal + &pair) * cfg.beta);
        (score_normal, score_pair) = (Some(normal), Some(pair));
    }
    let (mut consistency_term, mut entropies) = (None, None);
    if cfg.consistency.enabled {
        let (term, rows) = consistency(features, needed("loss.consistency.enabled")?, mask, &cfg.consistency)?;
        weighted.push(&term * cfg.xi);
        (consistency_term, entropies) = (Some(term), Some(rows));
    }
    let total = Tensor::stack(&weighted, 0).sum(Kind::Double);
    Ok(Terms { total, feature, score_normal, score_pair, consistency: consistency_term, entropies })
}

impl Terms {
    /// Every value there is with its name, the total first: `total`, `feature`, `score_normal`, `score_pair`, `consistency`,
    /// `entropy_features`, `entropy_scores`. One transfer from the device.
    pub fn scalars(&self) -> Vec<(&'static str, f64)> {
        let (names, values) = self.stacked();
        let values = Vec::<f64>::try_from(values).expect("one dimension of float64");
        names.into_iter().zip(values).collect()
    }

    /// The same on the device: the names, and their values `[names]` in float64.
    pub fn stacked(&self) -> (Vec<&'static str>, Tensor) {
        let entropies = self.entropies.as_ref();
        let named = [
            ("total", Some(&self.total)),
            ("feature", Some(&self.feature)),
            ("score_normal", self.score_normal.as_ref()),
            ("score_pair", self.score_pair.as_ref()),
            ("consistency", self.consistency.as_ref()),
            ("entropy_features", entropies.map(|e| &e.features)),
            ("entropy_scores", entropies.map(|e| &e.scores)),
        ];
        let (names, tensors): (Vec<_>, Vec<_>) = named.into_iter().filter_map(|(name, t)| t.map(|t| (name, t.detach()))).unzip();
        (names, Tensor::stack(&tensors, 0).to_kind(Kind::Double))
    }
}

/// The map upsampled bilinearly to the labels' size, if it has another.
fn at_size_of(map: &Tensor, labels: &Tensor, cfg: &config::Loss) -> Tensor {
    let ([_, _, h, w], [_, _, height, width]) = (sizes(map), sizes(labels));
    if (h, w) == (height, width) {
        return map.shallow_clone();
    }
    map.upsample_bilinear2d([height, width], cfg.align_corners, None, None) // [B, 1, H, W]
}

/// The mask at the map's size: 1 where any pixel of a cell is anomalous, [B, 1, h, w].
fn pool_mask(mask: &Tensor, map: &Tensor) -> Result<Tensor> {
    let ([_, _, h, w], [_, _, height, width]) = (sizes(map), sizes(mask));
    if height % h != 0 || width % w != 0 {
        return Err(Error::config(
            format!(
                "loss.label_resolution = \"feature\": the mask of {height} x {width} px is not a whole multiple of the map of {h} x {w}"
            ),
            "choose a data.size that is a multiple of model.fusion.stride, or label_resolution = \"input\"",
        ));
    }
    let cell = [height / h, width / w];
    Ok(real(mask).max_pool2d(cell, cell, [0, 0], [1, 1], false))
}
