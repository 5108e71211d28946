//! How a number was computed: stamped beside each one, since the same maps give other numbers under other rules.

use super::components::Connectivity;
use super::variant::Variant;
use crate::config::{Checkpoint, Eval, ImageScore, Resolution};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The rules of an evaluation. The first three decide what is computed here; the others say what was handed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Greatest false positive rate of AUPRO's integral, 0 < limit <= 1.
    pub pro_limit: f64,
    /// What makes two anomalous pixels one region.
    pub connectivity: Connectivity,
    pub variant: Variant,
    /// Size of the maps and masks.
    pub resolution: Resolution,
    /// Standard deviation of the maps' smoothing, px of the map; 0 = none.
    pub smoothing: f64,
    /// Side of the square map whose px `smoothing` counts; 0 = px of each map.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub smoothing_side: usize,
    /// Where an image's score comes from.
    pub image_score: ImageScore,
    /// Which weights made the maps.
    pub checkpoint: Checkpoint,
}

/// As earlier versions wrote it.
fn is_zero(side: &usize) -> bool {
    *side == 0
}

impl Default for Protocol {
    /// The data set's own evaluation.
    fn default() -> Self {
        Self {
            pro_limit: 0.3,
            connectivity: Connectivity::Eight,
            variant: Variant::Exact,
            resolution: Resolution::Original,
            smoothing: 0.0,
            smoothing_side: 0,
            image_score: ImageScore::Upsampled,
            checkpoint: Checkpoint::Last,
        }
    }
}

impl Protocol {
    /// The protocol of a configuration.
    pub fn new(eval: &Eval, checkpoint: Checkpoint) -> Result<Self> {
        let protocol = Self {
            pro_limit: eval.pro.limit,
            connectivity: eval.pro.connectivity.try_into()?,
            variant: eval.pro.variant.into(),
            resolution: eval.resolution,
            smoothing: eval.gaussian_sigma,
            smoothing_side: eval.gaussian_side,
            image_score: eval.image_score,
            checkpoint,
        };
        protocol.check().map(|()| protocol)
    }

    /// An error where a rule makes no sense.
    pub fn check(&self) -> Result<()> {
        if self.pro_limit > 0.0 && self.pro_limit <= 1.0 {
            return Ok(());
        }
        Err(Error::config(
            format!("eval.pro.limit = {} is not a false positive rate", self.pro_limit),
            "above 0 and at most 1; 0.3 is usual",
        ))
    }

    /// The neighbours that count: the variant may overrule the field.
    pub fn connectivity(&self) -> Connectivity {
        match self.variant {
            Variant::Connectivity4 => Connectivity::Four,
            _ => self.connectivity,
        }
    }

    /// One line, such as "exact, FPR limit 0.3, 8-connected, original resolution, no smoothing". What departs from the
    /// reference in other ways is added at its end.
    pub fn describe(&self) -> String {
        let resolution = match self.resolution {
            Resolution::Original => "original resolution",
            Resolution::Input => "input resolution",
        };
        let smoothing = match (self.smoothing, self.smoothing_side) {
            (0.0, _) => "no smoothing".to_owned(),
            (sigma, 0) => format!("smoothed with sigma {sigma} px"),
            (sigma, side) => format!("smoothed with sigma {sigma} px of {side}"),
        };
        let image_score = match self.image_score {
            ImageScore::Upsampled => "",
            ImageScore::Map => ", image score from the map before upsampling",
            ImageScore::Mean => ", image score the mean of the map before upsampling",
            ImageScore::Own => ", image score the detector's own",
        };
        let checkpoint = match self.checkpoint {
            Checkpoint::Last => "",
            Checkpoint::BestPseudoVal => ", checkpoint best on pseudo anomalies",
            Checkpoint::BestTest => ", checkpoint best on the test set (leaky)",
        };
        let connectivity = u8::from(self.connectivity());
        let Self { variant, pro_limit, .. } = self;
        format!("{variant}, FPR limit {pro_limit}, {connectivity}-connected, {resolution}, {smoothing}{image_score}{checkpoint}")
    }

    /// The metric key of AUPRO: `aupro@0.3`, or `aupro_linear200@0.3` of a variant, so that two forms never share a column.
    pub fn aupro_key(&self) -> String {
        match self.variant {
            Variant::Exact => format!("aupro@{}", self.pro_limit),
            variant => format!("aupro_{variant}@{}", self.pro_limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_default_configuration_is_the_data_sets_own_evaluation() {
        let config = Config::default();
        let protocol = Protocol::new(&config.eval, config.train.checkpoint).unwrap();
        assert_eq!(protocol, Protocol::default());
        assert_eq!(protocol.describe(), "exact, FPR limit 0.3, 8-connected, original resolution, no smoothing");
        assert_eq!(protocol.aupro_key(), "aupro@0.3");
    }

    #[test]
    fn what_departs_from_it_is_said() {
        let mut config = Config::default();
        config.eval.gaussian_sigma = 4.0;
        config.eval.pro.variant = crate::config::ProVariant::Grid;
        config.eval.pro.connectivity = 4;
        let protocol = Protocol::new(&config.eval, Checkpoint::BestTest).unwrap();
        let described =
            "linear200, FPR limit 0.3, 4-connected, original resolution, smoothed with sigma 4 px, checkpoint best on the test set (leaky)";
        assert_eq!(protocol.describe(), described);
        assert_eq!(protocol.aupro_key(), "aupro_linear200@0.3");
        let text = serde_json::to_string(&protocol).unwrap();
        assert_eq!(serde_json::from_str::<Protocol>(&text).unwrap(), protocol);
        assert!(!text.contains("smoothing_side"), "as earlier versions wrote it: {text}");
        let relative = Protocol { smoothing: 4.0, smoothing_side: 256, ..Protocol::default() };
        assert!(relative.describe().ends_with("smoothed with sigma 4 px of 256"));
    }

    #[test]
    fn a_limit_that_is_no_rate_is_refused() {
        for limit in [0.0, -0.3, 1.5, f64::NAN] {
            assert!(Protocol { pro_limit: limit, ..Protocol::default() }.check().is_err());
        }
    }
}
