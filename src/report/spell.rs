//! How numbers, metrics and settings are spelled for people: the same text in every table, sentence and figure.

use crate::sweep::Study;

pub use crate::sweep::design::spelled;

/// Stands where there is no value.
pub const NOTHING: &str = "—";

/// A ratio in percent with one decimal.
pub fn percent(ratio: f64) -> String {
    let text = format!("{:.1}", 100.0 * ratio);
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

/// [`percent`], or a dash.
pub fn percent_or_dash(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| NOTHING.to_owned(), percent)
}

/// A difference of ratios in points with its sign: `+0.9`, `−0.3`, `0.0`.
pub fn points(difference: f64) -> String {
    let text = format!("{:+.1}", 100.0 * difference);
    match text.as_str() {
        "+0.0" | "-0.0" => "0.0".to_owned(),
        _ => text.replace('-', "−"),
    }
}

/// A p value with three decimals.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

/// [`p_value`] with its sign: `= 0.031`, `< 0.001`.
pub fn p_words(p: f64) -> String {
    let text = p_value(p);
    text.strip_prefix('<').map_or_else(|| format!("= {text}"), |limit| format!("< {limit}"))
}

/// A metric as a study names it: its label, or [`heading`].
pub fn metric_name(study: &Study, metric: &str) -> String {
    study.labels.get(metric).cloned().unwrap_or_else(|| heading(metric))
}

/// A metric as people name it.
pub fn heading(metric: &str) -> String {
    let (level, rest) = match metric.split_once('_') {
        Some((level @ ("image" | "pixel"), rest)) => (format!("{level} "), rest),
        _ => (String::new(), metric),
    };
    let name = match rest {
        "auroc" => "AUROC".to_owned(),
        "ap" => "AP".to_owned(),
        "f1max" => "F1max".to_owned(),
        other => other.replacen("aupro", "AUPRO", 1).replace('_', " "),
    };
    level + &name
}

/// The words in lines that `fits` accepts; a word that is too long stands alone.
pub fn wrapped(words: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in words.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}")).filter(|line| fits(line));
        match (longer, lines.last_mut()) {
            (Some(longer), Some(line)) => *line = longer,
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_with_one_decimal_and_differences_with_a_sign() {
        assert_eq!([0.9784, 1.0, 0.0, -0.00001].map(percent), ["97.8", "100.0", "0.0", "0.0"]);
        assert_eq!([Some(0.5), None].map(percent_or_dash), ["50.0", "—"]);
        assert_eq!([0.009, -0.0034, 0.0004, -0.0004].map(points), ["+0.9", "−0.3", "0.0", "0.0"]);
        assert_eq!([0.03125, 1.0, 0.00001].map(p_value), ["0.031", "1.000", "<0.001"]);
    }

    #[test]
    fn metrics_have_headings() {
        let shown = ["image_auroc", "pixel_ap", "aupro@0.3", "aupro_linear200@0.3", "tiny_recall@fpr0.05", "pixel_f1max"].map(heading);
        assert_eq!(shown, ["image AUROC", "pixel AP", "AUPRO@0.3", "AUPRO linear200@0.3", "tiny recall@fpr0.05", "pixel F1max"]);
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let words = "Of each kind of defect the images with the smallest, the median and the largest mask area";
        let lines = wrapped(words, |line| line.len() <= 24);
        assert_eq!(lines.join(" "), words);
        assert!(lines.len() > 3 && lines.iter().all(|line| line.len() <= 24), "{lines:?}");
        assert_eq!(wrapped("Donaudampfschifffahrt a", |line| line.len() <= 3), ["Donaudampfschifffahrt", "a"]);
        assert!(wrapped("", |_| true).is_empty());
    }
}
