//! Exported runs in onnxruntime: every detector is trained for a step or two, written as an ONNX file and compared with what its run
//! stored, by the check that is written beside it. And runs as one file.
//!
//! The comparisons need a Python with onnxruntime, onnx and numpy (`just onnx-check` makes one), which HARNESS_PYTHON may name.

mod bundle;
mod fixture;
mod refused;
mod thresholds;

use fixture::Fixture;

/// `detector` and keys of it, and how it is exported.
fn compared(words: &[&str], export: &[&str]) {
    let Some(fixture) = Fixture::new() else { return };
    fixture.run(words);
    fixture.export(export);
    fixture.check();
}

/// The keys of a small network of the paper's method.
fn mlff<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let small = [
        "detector=mlff",
        "model.stl.width=16",
        "model.tem.mid=16",
        "model.tem.channels=8",
        "model.tem.levels=8",
        "model.tem.out=12",
        "model.ptfem.in=12",
        "model.ptfem.mid=10",
        "model.ptfem.out=14",
        "model.ptfem.scales=[1,2,4]",
        "model.ptfem.levels=4",
        "model.sc.r=2",
        "model.sc.out=20",
        "model.fusion.mid=16",
        "model.fusion.channels=8",
    ];
    small.into_iter().chain(words.iter().copied()).collect()
}

#[test]
fn the_full_method_scores_the_same() {
    compared(&mlff(&[]), &[]);
}

#[test]
fn the_full_method_with_every_choice_made_otherwise_scores_the_same() {
    let words = [
        "data.normalize=lcn",
        "data.resize=nearest",
        "model.low.stride=8",
        "model.qco.levels=endpoint",
        "model.qco.window=half",
        "model.tem.normalize_assign=true",
        "model.tem.attention_scale=inv_sqrt",
        "model.ptfem.offset=mean",
        "model.sc.r=3",
        "model.sc.upsample=bilinear",
        "model.sc.k4=3",
        "model.sc.reduce=24",
        "model.fusion.stride=8",
        "model.fusion.mid_activation=bn_relu",
        "model.fusion.bias=false",
        "model.score.hidden=6",
        "loss.score.activation=softplus",
        "eval.align_corners=false",
        "eval.gaussian_sigma=1.5",
        "eval.image_score=mean",
    ];
    compared(&mlff(&words), &[]);
}

#[test]
fn the_other_window_and_a_head_between_the_strides_score_the_same() {
    let words = [
        "model.qco.window=half",
        "model.ptfem.offset=[-1,2]",
        "model.ptfem.scales=[4,1]",
        "model.fusion.stride=16",
        "loss.score.activation=abs",
        "eval.image_score=map",
    ];
    compared(&mlff(&words), &["--map", "A"]);
}

#[test]
fn a_texture_branch_beside_the_stages_and_a_head_on_the_distance_score_the_same() {
    let words = [
        "model.qco.window=hat",
        "model.stl.join=add",
        "model.score.residual=true",
        "model.backbone_norms=fixed",
        "train.average=ema",
        "eval.map=mean_z",
    ];
    compared(&mlff(&words), &[]);
    compared(&mlff(&[&words[1..3], &["model.fusion.mid_activation=bn_relu"]].concat()), &["--map", "A"]);
}

#[test]
fn the_baseline_without_a_head_scores_the_same_by_distance() {
    let words = [
        "model.stlnet=false",
        "model.self_calibration=false",
        "loss.score.enabled=false",
        "loss.consistency.enabled=false",
        "model.ablation.head=raw",
        "model.backbone.freeze=layer2",
    ];
    compared(&mlff(&words), &[]);
}

#[test]
fn the_consistency_constraint_alone_scores_the_same_on_both_maps() {
    let words = ["model.self_calibration=false", "loss.score.enabled=false"];
    compared(&mlff(&words), &["--map", "S", "--input", "network"]);
}

#[test]
fn the_method_on_another_backbone_scores_the_same() {
    for name in ["resnet50", "efficientnet_lite0"] {
        let Some(fixture) = Fixture::on(name) else { return };
        fixture.run(&mlff(&["model.stlnet=false", "model.backbone.freeze=layer2"]));
        fixture.export(&[]);
        fixture.check();
    }
}

#[test]
fn a_stride_in_the_first_convolution_of_a_bottleneck_scores_the_same() {
    let Some(fixture) = Fixture::on("resnet50_conv1") else { return };
    fixture.run(&["detector=padim", "padim.channels=20"]);
    fixture.export(&["--input", "network"]);
    fixture.check();
}

#[test]
fn padim_scores_the_same() {
    compared(&["detector=padim", "padim.channels=30", "data.margin=16"], &[]);
    compared(&["detector=padim", "padim.channels=12", "padim.upsample=bilinear", "eval.resolution=input"], &[]);
}

#[test]
fn the_nearest_neighbour_scores_the_same_on_both_maps() {
    compared(&["detector=nearest", "nearest.dims=40", "nearest.fraction=0.2"], &["--map", "S"]);
    compared(&["detector=nearest", "nearest.dims=0", "nearest.stages=[1,3]", "nearest.neighbours=0", "data.margin=16"], &[]);
}

#[test]
fn reverse_distillation_scores_the_same() {
    compared(&["detector=rd", "rd.blocks=1"], &[]);
    let Some(fixture) = Fixture::on("resnet50") else { return };
    fixture.run(&["detector=rd", "rd.blocks=1", "rd.map=product"]);
    fixture.export(&["--input", "network"]);
    fixture.check();
}

#[test]
fn fcdd_scores_the_same() {
    compared(&["detector=fcdd", "data.crop=69"], &[]);
    let cnn = ["detector=fcdd", "data.crop=69", "fcdd.network=cnn", "fcdd.border=normalized", "data.normalize=imagenet"];
    compared(&cnn, &["--map", "image"]);
    let Some(fixture) = Fixture::on("vgg11_bn") else { return };
    fixture.run(&["detector=fcdd", "data.crop=0", "eval.image_score=upsampled"]);
    fixture.export(&[]);
    fixture.check();
}

#[test]
fn supersimplenet_scores_the_same() {
    compared(&["detector=supersimplenet", "supersimplenet.hidden=16", "supersimplenet.reduce=8"], &[]);
    let simplenet = ["supersimplenet.decision=false", "supersimplenet.upscale=1", "eval.image_score=upsampled"];
    compared(&[&["detector=supersimplenet", "supersimplenet.hidden=16"][..], &simplenet].concat(), &[]);
}

#[test]
fn cutpaste_scores_the_same() {
    let small = ["detector=cutpaste", "cutpaste.hidden=[16, 8]"];
    compared(&[&small[..], &["cutpaste.network=scratch", "model.backbone.weights=none"]].concat(), &[]);
    let patches = ["cutpaste.network=finetuned", "cutpaste.patch=32", "cutpaste.window=32", "cutpaste.stride=16"];
    compared(&[&small[..], &patches, &["cutpaste.aligned=true"]].concat(), &[]);
    compared(&[&small[..], &patches, &["cutpaste.aligned=false"]].concat(), &["--input", "network"]);
}

#[test]
fn patch_svdd_scores_the_same() {
    compared(&["detector=psvdd", "psvdd.fraction=0.5"], &[]);
}

#[test]
fn uninformed_students_score_the_same() {
    let small = ["detector=us", "us.width=0.05", "us.descriptor=4", "us.students=2"];
    compared(&[&small[..], &["us.fields=[17]", "us.dense=false"]].concat(), &[]);
    compared(&[&small[..], &["us.fields=[33]", "us.dense=true"]].concat(), &["--map", "V"]);
    compared(&[&small[..], &["us.fields=[17,33]", "us.dense=false"]].concat(), &["--map", "A33", "--input", "network"]);
}
