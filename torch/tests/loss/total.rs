//! The total loss: its switches, label resolutions and weights.

use crate::slow::{self, Map, assert_all_near, assert_near, defaults, value, values};
use harness::config::*;
use harness::seed;
use harness_torch::detector::mlff::loss::{Terms, total};
use proptest::prelude::*;
use tch::{Kind, Tensor};

fn batch(seed: u64, b: usize) -> (Map, Map, Map) {
    let mask = Map::mask(seed, [b, 1, 8, 16], 0.04);
    (Map::random(seed, "f", [b, 3, 4, 8], 2.0), Map::random(seed, "z", [b, 1, 4, 8], 4.0), mask)
}

fn terms(f: &Tensor, z: Option<&Tensor>, mask: &Tensor, cfg: &Loss) -> Terms {
    total(f, z, mask, cfg, &mut seed::stream(0, "pairs", 0, 0)).unwrap()
}

fn max_pool(mask: &Map) -> Map {
    let [b, _, h, w] = mask.size;
    let any = |i: usize| {
        let (image, y, x) = (i / (h / 2 * (w / 2)), i / (w / 2) % (h / 2) * 2, i % (w / 2) * 2);
        (0..4).map(|k| mask.at(image, 0, y + k / 2, x + k % 2)).fold(0.0, f64::max)
    };
    Map { size: [b, 1, h / 2, w / 2], data: (0..b * h / 2 * w / 2).map(any).collect() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn it_is_the_weighted_sum_of_its_terms_at_either_resolution(
        seed: u64, b in 1usize..3, input: bool, align_corners: bool, score: bool, consistent: bool,
        alpha in 0.0..2.0, beta in 0.0..2.0, xi in 0.0..2.0,
        activation in prop_oneof![Just(Activation::Identity), Just(Activation::Abs), Just(Activation::Softplus)],
    ) {
        let (f, z, mask) = batch(seed, b);
        let mut cfg = Loss { alpha, beta, xi, align_corners, ..defaults() };
        cfg.label_resolution = if input { LabelResolution::Input } else { LabelResolution::Feature };
        (cfg.score.enabled, cfg.consistency.enabled, cfg.score.activation) = (score, consistent, activation);
        let got = terms(&f.tensor(), Some(&z.tensor()), &mask.tensor(), &cfg);

        let activated = z.map(|z| match activation {
            Activation::Identity => z,
            Activation::Abs => z.abs(),
            Activation::Softplus => z.exp().ln_1p(),
        });
        let at = |map: Map| if input { slow::upsample(&map, 8, 16, align_corners) } else { map };
        let (a, s) = (at(slow::distance(&f)), at(activated));
        let labels = if input { mask.clone() } else { max_pool(&mask) };
        let feature = slow::feature(&a, &labels, &cfg.feature);
        let (normal, pair) = (slow::normal_hinge(&s, &labels, cfg.score.gamma), slow::pair_hinge(&s, &labels, &cfg.score));
        let (kl, ep, eq) = slow::consistency(&f, &z, &mask, &cfg.consistency);
        let mut want = vec![("total", alpha * feature), ("feature", feature)];
        if score {
            want[0].1 += beta * (normal + pair);
            want.extend([("score_normal", normal), ("score_pair", pair)]);
        }
        if consistent {
            want[0].1 += xi * kl;
            want.extend([("consistency", kl), ("entropy_features", ep), ("entropy_scores", eq)]);
        }
        let (names, got): (Vec<_>, Vec<_>) = got.scalars().into_iter().unzip();
        let (want_names, want): (Vec<_>, Vec<_>) = want.into_iter().unzip();
        prop_assert_eq!(names, want_names);
        assert_all_near(&got, &want, 1e-8);
    }
}

/// Gradients of the total with respect to features and scores; none counts as `None`.
fn gradients(cfg: &Loss) -> (Option<Vec<f64>>, Option<Vec<f64>>) {
    let (f, z, mask) = batch(4, 2);
    let (f, z) = (f.tensor().set_requires_grad(true), z.tensor().set_requires_grad(true));
    terms(&f, Some(&z), &mask.tensor(), cfg).total.backward();
    let of = |t: &Tensor| t.grad().defined().then(|| values(&t.grad()));
    (of(&f), of(&z))
}

#[test]
fn a_weight_of_zero_keeps_a_term_but_takes_its_influence() {
    let off = {
        let mut cfg = defaults();
        (cfg.score.enabled, cfg.consistency.enabled) = (false, false);
        gradients(&cfg)
    };
    let weightless = gradients(&Loss { beta: 0.0, xi: 0.0, ..defaults() });
    assert_eq!(off.0, weightless.0);
    // The feature constraint does not reach the score head: no gradient where nothing else does, else exactly 0.
    assert_eq!(off.1, None);
    assert!(weightless.1.unwrap().iter().all(|&g| g == 0.0));
    let (f, z, mask) = batch(4, 2);
    let logged = terms(&f.tensor(), Some(&z.tensor()), &mask.tensor(), &Loss { beta: 0.0, xi: 0.0, ..defaults() });
    assert!(logged.scalars().iter().all(|&(_, v)| v != 0.0));
    assert_eq!(value(&logged.total), value(&logged.feature));
}

#[test]
fn consistency_alone_trains_the_scores() {
    let mut cfg = Loss { alpha: 0.0, ..defaults() };
    cfg.score.enabled = false;
    let (features, scores) = gradients(&cfg);
    assert!([features, scores].into_iter().all(|g| g.unwrap().iter().any(|&g| g != 0.0)));
}

#[test]
fn the_pair_term_does_not_reach_the_features() {
    let mut cfg = Loss { alpha: 0.0, ..defaults() };
    cfg.consistency.enabled = false;
    let (features, scores) = gradients(&cfg);
    assert!(features.unwrap().iter().all(|&g| g == 0.0) && scores.unwrap().iter().any(|&g| g != 0.0));
}

#[test]
fn maps_in_bf16_cost_what_their_float32_values_cost() {
    let (f, z, mask) = batch(4, 2);
    let (f, z) = (f.tensor().to_kind(Kind::BFloat16), z.tensor().to_kind(Kind::BFloat16));
    let (half, single) = (|t: &Tensor| t.shallow_clone(), |t: &Tensor| t.to_kind(Kind::Float));
    let of = |kind: &dyn Fn(&Tensor) -> Tensor| terms(&kind(&f), Some(&kind(&z)), &mask.float(), &defaults()).scalars();
    assert_eq!(of(&half), of(&single));
}

#[test]
fn float32_agrees_with_float64_and_repeats_bit_for_bit() {
    let (f, z, mask) = batch(4, 2);
    let of = |kind: Kind| terms(&f.tensor().to_kind(kind), Some(&z.tensor().to_kind(kind)), &mask.float(), &defaults()).scalars();
    let (single, double) = (of(Kind::Float), of(Kind::Double));
    single.iter().zip(&double).for_each(|(s, d)| assert_near(s.1, d.1, 1e-5));
    assert_eq!(single, of(Kind::Float));
}

#[test]
fn random_pairs_come_from_the_stream_that_is_given() {
    let (f, z, mask) = batch(4, 2);
    let mut cfg = defaults();
    cfg.score.pair_mode = PairMode::Random;
    let at = |step: u64| {
        let draw = &mut seed::stream(0, "pairs", 0, step);
        value(&total(&f.tensor(), Some(&z.tensor()), &mask.tensor(), &cfg, draw).unwrap().score_pair.unwrap())
    };
    assert_eq!(at(1), at(1));
    assert_ne!(at(1), at(2));
}

#[test]
fn an_empty_batch_costs_a_zero_that_has_a_gradient() {
    for label_resolution in [LabelResolution::Input, LabelResolution::Feature] {
        let zeros = |c, h, w| Tensor::zeros([0, c, h, w], (Kind::Float, tch::Device::Cpu));
        let (f, z) = (zeros(3, 4, 8).set_requires_grad(true), zeros(1, 4, 8).set_requires_grad(true));
        let terms = terms(&f, Some(&z), &zeros(1, 8, 16), &Loss { label_resolution, ..defaults() });
        terms.total.backward();
        assert!(terms.scalars().iter().all(|&(_, v)| v == 0.0), "{:?}", terms.scalars());
        assert!(f.grad().defined() && z.grad().defined());
    }
}

#[test]
fn without_anomalies_only_the_normal_terms_are_left() {
    let (f, z, mask) = batch(4, 2);
    let terms = terms(&f.tensor(), Some(&z.tensor()), &mask.map(|_| 0.0).tensor(), &defaults());
    let a = slow::upsample(&slow::distance(&f), 8, 16, true);
    assert_near(value(&terms.feature), 0.5 * slow::mean(a.data.iter().copied()), 1e-9);
    assert_eq!(value(terms.score_pair.as_ref().unwrap()), 0.0);
    assert!(value(terms.score_normal.as_ref().unwrap()) > 0.0 && value(terms.consistency.as_ref().unwrap()) > 0.0);
}

#[test]
fn without_normal_pixels_only_the_anomalous_term_is_left() {
    let (f, z, mask) = batch(4, 2);
    let terms = terms(&f.tensor(), Some(&z.tensor()), &mask.map(|_| 1.0).tensor(), &defaults());
    let zero = |t: &Option<Tensor>| value(t.as_ref().unwrap()) == 0.0;
    assert!(value(&terms.feature) > 0.0 && zero(&terms.score_normal) && zero(&terms.score_pair) && zero(&terms.consistency));
}

#[test]
fn scores_that_are_needed_and_missing_are_an_error_that_names_the_key() {
    let (f, _, mask) = batch(4, 2);
    let of = |cfg: &Loss| total(&f.tensor(), None, &mask.tensor(), cfg, &mut seed::stream(0, "", 0, 0));
    let mut cfg = defaults();
    assert!(of(&cfg).unwrap_err().what.contains("loss.score.enabled"));
    cfg.score.enabled = false;
    assert!(of(&cfg).unwrap_err().what.contains("loss.consistency.enabled"));
    cfg.consistency.enabled = false;
    assert_eq!(of(&cfg).unwrap().scalars().len(), 2);
}

#[test]
fn a_mask_that_is_no_multiple_of_the_map_is_refused_at_the_maps_resolution() {
    let (f, z, _) = batch(4, 1);
    let mut cfg = Loss { label_resolution: LabelResolution::Feature, ..defaults() };
    cfg.consistency.enabled = false;
    let mask = Map { size: [1, 1, 9, 16], data: vec![0.0; 144] }.tensor();
    let error = total(&f.tensor(), Some(&z.tensor()), &mask, &cfg, &mut seed::stream(0, "", 0, 0)).unwrap_err();
    assert!(error.what.contains("loss.label_resolution"));
    cfg.label_resolution = LabelResolution::Input;
    assert!(total(&f.tensor(), Some(&z.tensor()), &mask, &cfg, &mut seed::stream(0, "", 0, 0)).is_ok());
}
