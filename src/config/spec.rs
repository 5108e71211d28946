//! What a value may be: the little language of the `#:` lines in `experiments/base.toml`.
//!
//! ```text
//! spec      = "detector" | alt { " or " alt } [ ", " unit ]          "detector": one of those that this program knows
//! alt       = "bool" | "text" | "path" | literal | "one of " literal { " | " literal }
//!           | ( "int" | "float" ) [ " " interval ] [ " multiple of " N ] | ( "list of " | "pair of " ) alt
//! interval  = ( "[" | "(" ) low ", " high ( "]" | ")" )      with inf and -inf
//! ```

use std::fmt;

use toml::Value;

use super::Detector;

/// A parsed `#:` line. Displays as it was written.
#[derive(Debug, Clone)]
pub struct Spec {
    text: String,
    alternatives: Vec<Alt>,
}

#[derive(Debug, Clone)]
enum Alt {
    Bool,
    Text,
    Literal(Value),
    OneOf(Vec<Value>),
    Int(Interval, i64),
    Float(Interval),
    List(Box<Alt>),
    Pair(Box<Alt>),
}

#[derive(Debug, Clone, Copy)]
struct Interval {
    low: f64,
    high: f64,
    low_open: bool,
    high_open: bool,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Spec {
    /// Parses a `#:` line; the error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "detector" {
            let names: Vec<Value> = Detector::all().map(|detector| Value::String(detector.name().into())).collect();
            let text = format!("one of {}", names.iter().map(show).collect::<Vec<_>>().join(" | "));
            return Ok(Self { text, alternatives: vec![Alt::OneOf(names)] });
        }
        let mut rest = text;
        let mut alternatives = vec![Alt::parse(&mut rest)?];
        while let Some(after) = rest.strip_prefix(" or ") {
            rest = after;
            alternatives.push(Alt::parse(&mut rest)?);
        }
        // What follows a comma is the unit, for people.
        if !rest.is_empty() && !rest.starts_with(", ") {
            return Err(format!("unexpected `{rest}`"));
        }
        Ok(Self { text: text.to_owned(), alternatives })
    }

    /// Whether a value is allowed; the error completes "KEY: …".
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let first = match self.alternatives[0].check(value) {
            Ok(()) => return Ok(()),
            Err(e) => e,
        };
        if self.alternatives[1..].iter().any(|alt| alt.check(value).is_ok()) {
            return Ok(());
        }
        Err(if self.alternatives.len() > 1 { format!("expected {}, got {}", self.text, show(value)) } else { first })
    }

    /// Whether a list of texts is allowed.
    pub fn takes_texts(&self) -> bool {
        self.alternatives.iter().any(|alt| matches!(alt, Alt::List(of) if matches!(**of, Alt::Text)))
    }

    /// Whether a bare word of the command line should be taken as text even if it reads as a number.
    pub fn takes_text(&self) -> bool {
        self.alternatives.iter().any(|alt| matches!(alt, Alt::Text))
    }
}

impl Alt {
    fn parse(rest: &mut &str) -> Result<Self, String> {
        for (prefix, make) in [("list of ", Alt::List as fn(Box<Alt>) -> Alt), ("pair of ", Alt::Pair)] {
            if take(rest, prefix) {
                return Ok(make(Box::new(Alt::parse(rest)?)));
            }
        }
        if take(rest, "one of ") {
            let mut options = vec![literal(rest)?];
            while take(rest, " | ") {
                options.push(literal(rest)?);
            }
            return Ok(Alt::OneOf(options));
        }
        if take(rest, "bool") {
            return Ok(Alt::Bool);
        }
        if take(rest, "text") || take(rest, "path") {
            return Ok(Alt::Text);
        }
        if take(rest, "int") {
            let interval = Interval::parse(rest)?;
            let multiple = if take(rest, " multiple of ") { number(rest)? as i64 } else { 1 };
            return Ok(Alt::Int(interval, multiple));
        }
        if take(rest, "float") {
            return Ok(Alt::Float(Interval::parse(rest)?));
        }
        literal(rest).map(Alt::Literal)
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        let expected = |what: &str| Err(format!("expected {what}, got {}", show(value)));
        match self {
            Alt::Bool => value.as_bool().map_or_else(|| expected("true or false"), |_| Ok(())),
            Alt::Text => value.as_str().map_or_else(|| expected("text"), |_| Ok(())),
            Alt::Literal(v) if v == value => Ok(()),
            Alt::Literal(v) => expected(&show(v)),
            Alt::OneOf(options) if options.contains(value) => Ok(()),
            Alt::OneOf(options) => {
                let typos = |o: &&Value| o.as_str().zip(value.as_str()).map_or(usize::MAX, |(o, v)| strsim::osa_distance(o, v));
                let near = options.iter().min_by_key(typos).filter(|o| typos(o) <= 2);
                let hint = near.map_or(String::new(), |o| format!("; did you mean {}?", show(o)));
                let all: Vec<_> = options.iter().map(show).collect();
                Err(format!("expected {}{}, got {}{hint}", if all.len() > 1 { "one of " } else { "" }, all.join(", "), show(value)))
            }
            Alt::Int(interval, multiple) => {
                let Some(n) = value.as_integer() else { return expected("a whole number") };
                interval.check(n as f64, value)?;
                if n % multiple == 0 { Ok(()) } else { expected(&format!("a multiple of {multiple}")) }
            }
            Alt::Float(interval) => {
                let Some(x) = value.as_float().or_else(|| value.as_integer().map(|n| n as f64)) else { return expected("a number") };
                interval.check(x, value)
            }
            Alt::List(inner) => match value.as_array() {
                None => expected("a list"),
                Some(values) if values.is_empty() => expected("at least one entry"),
                Some(values) => values.iter().try_for_each(|v| inner.check(v)),
            },
            Alt::Pair(inner) => match value.as_array() {
                Some(values) if values.len() == 2 => values.iter().try_for_each(|v| inner.check(v)),
                _ => expected("a pair [a, b]"),
            },
        }
    }
}

impl Interval {
    fn parse(rest: &mut &str) -> Result<Self, String> {
        let everything = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY, low_open: false, high_open: false };
        let low_open = match () {
            () if take(rest, " [") => false,
            () if take(rest, " (") => true,
            () => return Ok(everything),
        };
        let low = number(rest)?;
        if !take(rest, ", ") {
            return Err("an interval reads [low, high]".into());
        }
        let high = number(rest)?;
        let high_open = match () {
            () if take(rest, "]") => false,
            () if take(rest, ")") => true,
            () => return Err("an interval ends in ] or )".into()),
        };
        Ok(Interval { low, high, low_open, high_open })
    }

    fn check(&self, x: f64, value: &Value) -> Result<(), String> {
        let above = if self.low_open { x > self.low } else { x >= self.low };
        let below = if self.high_open { x < self.high } else { x <= self.high };
        if x.is_finite() && above && below {
            return Ok(());
        }
        let (l, r) = (if self.low_open { "(" } else { "[" }, if self.high_open { ")" } else { "]" });
        Err(format!("expected a value in {l}{}, {}{r}, got {}", self.low, self.high, show(value)))
    }
}

fn take(rest: &mut &str, prefix: &str) -> bool {
    match rest.strip_prefix(prefix) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn token<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find([' ', ',', ']', ')', '|']).unwrap_or(rest.len());
    let (token, after) = rest.split_at(end);
    *rest = after;
    token
}

fn number(rest: &mut &str) -> Result<f64, String> {
    let text = token(rest);
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

fn literal(rest: &mut &str) -> Result<Value, String> {
    let text = token(rest);
    parse_value(text).ok_or_else(|| format!("`{text}` is not a literal"))
}

/// One TOML value, as on the right of `key = `.
pub fn parse_value(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(&format!("v = {text}")).ok()?;
    (table.len() == 1).then(|| table.into_iter().next().map(|(_, v)| v)).flatten()
}

fn show(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(spec: &str, value: &str) -> bool {
        Spec::parse(spec).unwrap().check(&parse_value(value).unwrap()).is_ok()
    }

    #[test]
    fn intervals_know_their_ends() {
        for (spec, inside, outside) in [
            ("float [0, 1]", vec!["0", "1.0", "0.5"], vec!["-0.1", "1.1", "nan", "\"a\"", "true"]),
            ("float (0, inf)", vec!["1e-9", "1e9"], vec!["0.0", "-1", "inf"]),
            ("int [32, 4096] multiple of 32, px", vec!["32", "256"], vec!["33", "0", "32.0", "8192"]),
            ("pair of int [1, 4]", vec!["[1, 4]"], vec!["[1]", "[0, 1]", "3", "[1.5, 2]"]),
            ("list of int [0, 9]", vec!["[0]", "[1, 2, 3]"], vec!["[]", "[10]", "1"]),
            ("pair of int [-8, 8] or \"mean\", cells", vec!["[1, 1]", "\"mean\""], vec!["\"max\"", "[9, 0]"]),
            ("one of 4 | 8, px", vec!["4", "8"], vec!["5", "\"4\""]),
        ] {
            inside.iter().for_each(|v| assert!(allows(spec, v), "{spec} should allow {v}"));
            outside.iter().for_each(|v| assert!(!allows(spec, v), "{spec} should refuse {v}"));
        }
    }

    #[test]
    fn a_near_option_is_suggested() {
        let e = Spec::parse(r#"one of "sgd" | "adam""#).unwrap().check(&Value::String("sdg".into())).unwrap_err();
        assert!(e.contains("did you mean \"sgd\"?"), "{e}");
    }

    #[test]
    fn a_broken_line_is_refused() {
        for bad in ["integer", "int [1 4]", "float [0, 1", "one of a | b", "text list"] {
            assert!(Spec::parse(bad).is_err(), "{bad}");
        }
    }
}
