//! What every table says of its runs: how they were evaluated, what they started from, and where the test set chose.

use crate::run::Summary;

/// How the run was evaluated.
pub fn protocol(run: &Summary) -> &str {
    run.protocol["text"].as_str().unwrap_or("unknown")
}

/// The backbone, where its weights come from and, of a residual network, where its strides are; `None` for a detector without one.
pub fn backbone(run: &Summary) -> Option<String> {
    let backbone = &run.backbone;
    let stride = if backbone.weights_hash.is_some() && !backbone.stride_in.is_empty() { format!(", stride in {}", backbone.stride_in) } else { String::new() };
    (!backbone.name.is_empty()).then(|| format!("{} ({}{stride})", backbone.name, backbone.lineage))
}

/// Why a run has no figure in the table, where that is because the test set chose its epoch.
pub fn selection(run: &Summary) -> Option<&'static str> {
    let on_test = run.metrics.keys().any(|key| key.starts_with("best_on_test/"));
    on_test.then_some("Runs whose epoch was chosen on the test set have no figure here: see best_on_test/* in their summary.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Id, Lineage};

    #[test]
    fn a_backbone_names_its_stride_where_it_has_weights_and_is_left_out_where_there_is_none() {
        let mut run = crate::testing::summary(&Id::new("full", "0123456789", 0).unwrap(), "gear");
        let of = |weights_hash: Option<&str>| Lineage {
            name: "resnet50".into(),
            lineage: "caffe".into(),
            stride_in: "conv1".into(),
            weights_hash: weights_hash.map(String::from),
        };
        run.backbone = of(Some("77"));
        assert_eq!(backbone(&run).unwrap(), "resnet50 (caffe, stride in conv1)");
        run.backbone.stride_in.clear();
        assert_eq!(backbone(&run).unwrap(), "resnet50 (caffe)");
        run.backbone = of(None);
        assert_eq!(backbone(&run).unwrap(), "resnet50 (caffe)");
        run.backbone = Lineage::default();
        assert_eq!(backbone(&run), None);
    }

    #[test]
    fn a_run_says_how_it_was_evaluated_and_whether_the_test_set_chose() {
        let mut run = crate::testing::summary(&Id::new("full", "0123456789", 0).unwrap(), "gear");
        run.protocol = serde_json::json!({ "text": "exact" });
        assert_eq!((protocol(&run), selection(&run)), ("exact", None));
        run.metrics.insert("best_on_test/image_auroc".into(), Some(0.9));
        run.protocol = serde_json::Value::Null;
        assert!(protocol(&run) == "unknown" && selection(&run).unwrap().contains("chosen on the test set"));
    }
}
