//! Configurations that cannot make a network are refused by key.

use harness::config::{BackboneName, BaselineHead, Config, Join, StrideIn};
use harness::error::Kind;
use harness_torch::detector::mlff::model::Network;
use harness_torch::nn::{Source, Values, Weights};
use tch::Device;

use crate::{one_thread, tiny};

fn refused(key: &str, change: impl Fn(&mut Config)) {
    let mut cfg = tiny();
    change(&mut cfg);
    let error = Network::new(&cfg, None, 0, Device::Cpu).err().unwrap_or_else(|| panic!("{key} is accepted"));
    assert_eq!(error.kind, Kind::Config);
    assert!(error.what.contains(key) && !error.remedy.is_empty(), "{error}");
}

#[test]
fn sizes_that_do_not_divide_are_refused_by_key() {
    one_thread();
    refused("data.size", |cfg| cfg.data.size = 80);
    refused("data.size", |cfg| cfg.data.size = 0);
    refused("model.ptfem.scales", |cfg| cfg.model.ptfem.scales = vec![1, 3]);
    refused("model.ptfem.scales", |cfg| cfg.model.ptfem.scales = vec![0]);
    refused("model.ptfem.scales", |cfg| cfg.model.ptfem.scales = vec![]);
    refused("model.ptfem.scales", |cfg| cfg.model.ptfem.scales = vec![2, 1, 2]);
    refused("loss.consistency.patch", |cfg| cfg.loss.consistency.patch = [2, 3]);
    refused("loss.consistency.patch", |cfg| cfg.loss.consistency.patch = [32, 4]);
    refused("model.stl.join", |cfg| {
        (cfg.model.stl.join, cfg.model.ablation.head) = (Join::Add, BaselineHead::Raw);
        (cfg.loss.score.enabled, cfg.loss.consistency.enabled) = (false, false);
    });
    refused("train.batch", |cfg| (cfg.train.batch, cfg.model.sc.r) = (1, 4));
}

#[test]
fn what_a_toggle_leaves_out_needs_to_divide_nothing() {
    one_thread();
    let mut cfg = tiny();
    (cfg.model.stlnet, cfg.model.ptfem.scales) = (false, vec![3]);
    (cfg.loss.consistency.enabled, cfg.loss.consistency.patch) = (false, [5, 3]);
    assert!(Network::new(&cfg, None, 0, Device::Cpu).is_ok());
}

#[test]
fn a_stride_that_contradicts_the_weights_is_refused_by_key() {
    one_thread();
    let nothing: &Source = &|_| Ok(None);
    for (key, file) in [(StrideIn::Conv1, StrideIn::Conv2), (StrideIn::Conv2, StrideIn::Conv1)] {
        let mut cfg = tiny();
        (cfg.model.backbone.name, cfg.model.backbone.stride_in) = (BackboneName::Resnet50, key);
        let weights = Weights { source: nothing, stride_in: Some(file) };
        let error = Network::new(&cfg, Some(&weights), 0, Device::Cpu).err().unwrap();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.what.contains("model.backbone.stride_in"), "{error}");
        // Basic blocks have one place for it.
        (cfg.model.backbone.name, cfg.model.backbone.stride_in) = (BackboneName::Resnet18, StrideIn::Auto);
        assert!(Network::new(&cfg, Some(&weights), 0, Device::Cpu).is_ok());
    }
}

#[test]
fn weights_of_another_shape_are_refused_by_name() {
    one_thread();
    let source: &Source = &|name| Ok((name == "backbone.bn1.weight").then(|| Values { shape: vec![3], data: vec![0.0; 3] }));
    let error = Network::new(&tiny(), Some(&Weights { source, stride_in: None }), 0, Device::Cpu).err().unwrap();
    assert!(error.kind == Kind::Environment && error.what.contains("backbone.bn1.weight"), "{error}");
}
