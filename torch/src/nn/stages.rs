//! What a backbone gives of images: three maps.

use tch::Tensor;

/// Maps at a quarter, an eighth and a sixteenth of the image's side; their channels are `BackboneName::channels`.
#[derive(Debug)]
pub struct Stages {
    /// [B, W1, H/4, W/4]
    pub c1: Tensor,
    /// [B, W2, H/8, W/8]
    pub c2: Tensor,
    /// [B, W3, H/16, W/16]
    pub c3: Tensor,
}
