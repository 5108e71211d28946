//! The converted ImageNet network against golden features of the published one: a plain forward pass, slow but free of any
//! tensor library. Golden file and its format: tests/oracle/resnet_features.py.

use harness::config::StrideIn;
use harness::testing::Golden;
use harness::weights::{File, Tensor};
use serde_json::Value;

/// `[height, width, channels]`, row-major.
struct Features {
    height: usize,
    width: usize,
    channels: usize,
    data: Vec<f32>,
}

/// One of the golden pictures.
fn picture(golden: &Golden, name: &str) -> Features {
    let (size, planes) = (golden.size, golden.picture(name));
    let data = (0..planes.len()).map(|i| planes[i % 3 * size * size + i / 3]).collect();
    Features { height: size, width: size, channels: 3, data }
}

/// Convolution padded to keep the size, then batch norm in evaluation mode.
fn conv_bn(x: &Features, file: &File, conv: &str, norm: &str, stride: usize) -> Features {
    let Tensor { shape, data: kernel } = file.get(&format!("{conv}.weight")).unwrap();
    let [out, inner, side, _] = shape[..] else { panic!("{conv}: {shape:?}") };
    assert_eq!(inner, x.channels);
    // [side, side, in, out], so that the innermost loop runs along memory.
    let at = |i: usize| (i % out, i / out % inner, i / (out * inner) % side, i / (out * inner * side));
    let kernel: Vec<f32> = (0..kernel.len()).map(at).map(|(o, i, kx, ky)| kernel[((o * inner + i) * side + ky) * side + kx]).collect();
    let (height, width) = (x.height.div_ceil(stride), x.width.div_ceil(stride));
    let mut data = vec![0.0f32; height * width * out];
    for (cell, sums) in data.chunks_exact_mut(out).enumerate() {
        let (y, x0) = (cell / width * stride, cell % width * stride);
        for (ky, kx) in (0..side * side).map(|k| (k / side, k % side)) {
            let (Some(sy), Some(sx)) = ((y + ky).checked_sub(side / 2), (x0 + kx).checked_sub(side / 2)) else { continue };
            if sy >= x.height || sx >= x.width {
                continue;
            }
            for i in 0..inner {
                let value = x.data[(sy * x.width + sx) * inner + i];
                let row = &kernel[((ky * side + kx) * inner + i) * out..][..out];
                sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
            }
        }
    }
    let part = |name: &str| file.get(&format!("{norm}.{name}")).unwrap().data;
    let (gamma, beta, mean, var) = (part("weight"), part("bias"), part("running_mean"), part("running_var"));
    for cell in data.chunks_exact_mut(out) {
        for (c, value) in cell.iter_mut().enumerate() {
            *value = gamma[c] * (*value - mean[c]) / (var[c] + 1e-5).sqrt() + beta[c];
        }
    }
    Features { height, width, channels: out, data }
}

fn relu(mut x: Features) -> Features {
    x.data.iter_mut().for_each(|v| *v = v.max(0.0));
    x
}

/// 3x3, stride 2, over what is there.
fn max_pool(x: &Features) -> Features {
    let (height, width) = (x.height.div_ceil(2), x.width.div_ceil(2));
    let mut data = Vec::new();
    for (y, x0, c) in (0..height * width * x.channels).map(|i| (i / (width * x.channels), i / x.channels % width, i % x.channels)) {
        let rows = (2 * y).saturating_sub(1)..(2 * y + 2).min(x.height);
        let columns = (2 * x0).saturating_sub(1)..(2 * x0 + 2).min(x.width);
        let values =
            rows.flat_map(|sy| columns.clone().map(move |sx| (sy, sx))).map(|(sy, sx)| x.data[(sy * x.width + sx) * x.channels + c]);
        data.push(values.fold(f32::NEG_INFINITY, f32::max));
    }
    Features { height, width, channels: x.channels, data }
}

/// `stem`, `c1`, `c2`, `c3` of torchvision's ResNet-50.
fn forward(image: &Features, file: &File, stride_in: StrideIn) -> Vec<(&'static str, Features)> {
    let mut maps = vec![("stem", max_pool(&relu(conv_bn(image, file, "conv1", "bn1", 2))))];
    for (stage, blocks, key) in [(1, 3, "c1"), (2, 4, "c2"), (3, 6, "c3")] {
        let mut x = Features { data: maps[stage - 1].1.data.clone(), ..maps[stage - 1].1 };
        for block in 0..blocks {
            let at = |part: &str| format!("layer{stage}.{block}.{part}");
            let stride = if stage > 1 && block == 0 { 2 } else { 1 };
            let (first, second) = if stride_in == StrideIn::Conv1 { (stride, 1) } else { (1, stride) };
            let y = relu(conv_bn(&x, file, &at("conv1"), &at("bn1"), first));
            let y = relu(conv_bn(&y, file, &at("conv2"), &at("bn2"), second));
            let mut y = conv_bn(&y, file, &at("conv3"), &at("bn3"), 1);
            if block == 0 {
                x = conv_bn(&x, file, &at("downsample.0"), &at("downsample.1"), stride);
            }
            y.data.iter_mut().zip(&x.data).for_each(|(y, x)| *y += x);
            x = relu(y);
        }
        maps.push((key, x));
    }
    maps
}

/// Largest difference to the golden values of one map, in deviations of that map.
fn error(x: &Features, golden: &Value) -> f64 {
    assert_eq!(golden["shape"], serde_json::json!([x.channels, x.height, x.width]));
    let count = x.data.len() as f64;
    let mean = x.data.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let deviation = (x.data.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count).sqrt();
    let number = |v: &Value| v.as_f64().unwrap();
    let unit = number(&golden["deviation"]);
    let mut worst = (mean - number(&golden["mean"])).abs().max((deviation - unit).abs());
    for sample in golden["samples"].as_array().unwrap() {
        let [c, y, column] = [0, 1, 2].map(|i| sample[i].as_u64().unwrap() as usize);
        let got = x.data[(y * x.width + column) * x.channels + c];
        worst = worst.max((f64::from(got) - number(&sample[3])).abs());
    }
    worst / unit
}

#[test]
fn the_converted_network_computes_the_published_features() {
    let Some(golden) = harness::testing::golden("resnet50", "caffe", "just weights") else { return };
    let file = &golden.file;
    for entry in &golden.images {
        let name = entry["name"].as_str().unwrap();
        let image = picture(&golden, name);
        for (key, map) in forward(&image, file, file.meta.stride_in) {
            let error = error(&map, &entry["maps"][key]);
            assert!(error < golden.tolerance, "{name} {key}: {error:e}");
        }
        if name == "ramps" {
            // torchvision's place of the stride runs as well, and is wrong: the golden values can tell.
            let (_, c3) = forward(&image, file, StrideIn::Conv2).pop().unwrap();
            assert!(error(&c3, &entry["maps"]["c3"]) > 0.1);
        }
    }
}
