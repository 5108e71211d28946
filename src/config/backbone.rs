//! `[model.backbone]`: the network that images are seen through, and what is known of each before it is built.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backbone {
    pub name: BackboneName,
    /// A `.safetensors` file in its publisher's names, or `"none"`.
    pub weights: String,
    pub stride_in: StrideIn,
    /// The deepest part that is not trained (and whose batch norms stay in eval mode).
    pub freeze: Freeze,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackboneName {
    Resnet18,
    Resnet34,
    Resnet50,
    Resnet101,
    #[serde(rename = "wide_resnet50_2")]
    WideResnet50x2,
    #[serde(rename = "vgg11_bn")]
    Vgg11Bn,
    EfficientnetLite0,
}

/// What kind of network a backbone is. A detector says which of them it can be built on (`Method::backbones`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Residual,
    Vgg,
    EfficientNetLite,
}

impl Family {
    /// Those that are built up to three maps, at a quarter, an eighth and a sixteenth of the image's side.
    pub const STAGED: &'static [Family] = &[Family::Residual, Family::EfficientNetLite];

    /// A member of it, as a value of `model.backbone.name`.
    pub fn example(self) -> &'static str {
        match self {
            Self::Residual => "resnet50",
            Self::Vgg => "vgg11_bn",
            Self::EfficientNetLite => "efficientnet_lite0",
        }
    }
}

impl BackboneName {
    pub fn family(self) -> Family {
        match self {
            Self::Resnet18 | Self::Resnet34 | Self::Resnet50 | Self::Resnet101 | Self::WideResnet50x2 => Family::Residual,
            Self::Vgg11Bn => Family::Vgg,
            Self::EfficientnetLite0 => Family::EfficientNetLite,
        }
    }

    /// Channels of its last maps at a quarter, an eighth and a sixteenth of the image's side: of a residual network's stages 1 to 3.
    pub fn channels(self) -> [i64; 3] {
        match self {
            Self::Resnet18 | Self::Resnet34 => [64, 128, 256],
            Self::Resnet50 | Self::Resnet101 | Self::WideResnet50x2 => [256, 512, 1024],
            Self::Vgg11Bn => [256, 512, 512],
            Self::EfficientnetLite0 => [24, 40, 112],
        }
    }

    /// Whether it is a residual network, of a stem and stages.
    pub fn is_residual(self) -> bool {
        self.family() == Family::Residual
    }

    /// Whether it is made of bottlenecks, whose stride may be in either of two convolutions.
    pub fn has_bottlenecks(self) -> bool {
        matches!(self, Self::Resnet50 | Self::Resnet101 | Self::WideResnet50x2)
    }

    /// What tables and messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Resnet18 => "ResNet-18",
            Self::Resnet34 => "ResNet-34",
            Self::Resnet50 => "ResNet-50",
            Self::Resnet101 => "ResNet-101",
            Self::WideResnet50x2 => "wide ResNet-50-2",
            Self::Vgg11Bn => "VGG-11-BN",
            Self::EfficientnetLite0 => "EfficientNet-Lite0",
        }
    }
}

/// Which convolution of a stage's first bottleneck carries the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrideIn {
    /// What the weights' metadata says; torchvision's placement where they say nothing.
    Auto,
    /// The 1x1 (Caffe).
    Conv1,
    /// The 3x3 (torchvision).
    Conv2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    None,
    Stem,
    Layer1,
    Layer2,
    All,
}
