//! Weight files: safetensors in torchvision's names, and the conversions into it. Pure, no tch.
