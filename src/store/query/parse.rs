//! From text to a condition, by recursive descent; errors point at the column.

use std::collections::BTreeSet;

use super::key::{Field, Key, Kind};
use super::node::{Literal, Node, Operator};
use crate::config::reference;
use crate::run::Status;
use crate::{Error, Result, names};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(Operator),
    Open,
    Close,
}

/// A token and its column, counted in characters from 0.
type Placed = (Token, usize);

/// What cannot be understood, and where.
struct Fault {
    column: usize,
    what: String,
    remedy: String,
}

const EXAMPLE: &str = "such as `loss.score.gamma>2 and test/image_auroc>0.9`";

/// How deeply parentheses and `not` may be nested: far more than anyone types, far less than the stack bears.
const DEPTH: usize = 64;

pub(super) fn parse(text: &str, metrics: &BTreeSet<String>) -> Result<Node> {
    let parsed = tokens(text).and_then(|tokens| {
        let end = text.chars().count();
        let mut parser = Parser { tokens, at: 0, end, metrics };
        let node = parser.any(0)?;
        match parser.next() {
            None => Ok(node),
            Some((Token::Close, column)) => Err(Fault::new(column, "`)` closes nothing", "take it away, or open it with `(`")),
            Some((_, column)) => Err(Fault::new(column, "expected `and` or `or`", "join comparisons by `and` or `or`")),
        }
    });
    parsed.map_err(|fault| {
        let (shown, before) = around(text, fault.column);
        let what = format!("column {}: {}\n  {shown}\n  {}^", fault.column + 1, fault.what, " ".repeat(before));
        Error::config(what, fault.remedy)
    })
}

/// The part of a text about a column that fits a terminal, and how many characters of it stand before that column.
fn around(text: &str, column: usize) -> (String, usize) {
    const SIDE: usize = 60;
    let skipped = column.saturating_sub(SIDE);
    let begin = if skipped > 0 { "…" } else { "" };
    let part: String = text.chars().skip(skipped).take(2 * SIDE).collect();
    let end = if text.chars().count() > skipped + 2 * SIDE { "…" } else { "" };
    (format!("{begin}{part}{end}"), column - skipped + begin.chars().count())
}

impl Fault {
    fn new(column: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { column, what: what.into(), remedy: remedy.into() }
    }
}

fn tokens(text: &str) -> std::result::Result<Vec<Placed>, Fault> {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(&c) = chars.get(at) {
        let start = at;
        at += 1;
        let equals = chars.get(at) == Some(&'=');
        let token = match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '~' => Token::Operator(Operator::Contains),
            '=' => Token::Operator(Operator::Equal),
            '<' if equals => Token::Operator(Operator::AtMost),
            '>' if equals => Token::Operator(Operator::AtLeast),
            '<' => Token::Operator(Operator::Less),
            '>' => Token::Operator(Operator::Greater),
            '!' if equals => Token::Operator(Operator::Unequal),
            '!' => return Err(Fault::new(start, "`!` alone means nothing", "use `!=`, or `not` before a comparison")),
            '"' | '\'' => {
                let Some(length) = chars[at..].iter().position(|other| *other == c) else {
                    return Err(Fault::new(start, "this quote is not closed", "close it with the same quote"));
                };
                let quoted = chars[at..at + length].iter().collect();
                at += length + 1;
                Token::Quoted(quoted)
            }
            _ => {
                at = start + chars[start..].iter().take_while(|c| !c.is_whitespace() && !"()=!<>~\"'".contains(**c)).count();
                Token::Word(chars[start..at].iter().collect())
            }
        };
        // `<=`, `>=` and `!=` have two characters; `==` means `=`.
        if matches!(c, '<' | '>' | '!' | '=') && equals {
            at += 1;
        }
        found.push((token, start));
    }
    Ok(found)
}

struct Parser<'a> {
    tokens: Vec<Placed>,
    at: usize,
    /// Column after the text.
    end: usize,
    metrics: &'a BTreeSet<String>,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Placed> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Takes the word if it is the next token.
    fn take(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some((Token::Word(next), _)) if next.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> std::result::Result<Node, Fault> {
        let mut nodes = vec![self.all(depth)?];
        while self.take("or") {
            nodes.push(self.all(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self, depth: usize) -> std::result::Result<Node, Fault> {
        let mut nodes = vec![self.factor(depth)?];
        while self.take("and") {
            nodes.push(self.factor(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn factor(&mut self, depth: usize) -> std::result::Result<Node, Fault> {
        if depth > DEPTH {
            let column = self.tokens.get(self.at).map_or(self.end, |(_, column)| *column);
            return Err(Fault::new(column, "nested too deeply", "write it with fewer parentheses and `not`"));
        }
        if self.take("not") {
            return Ok(Node::Not(Box::new(self.factor(depth + 1)?)));
        }
        match self.next() {
            Some((Token::Open, opened)) => {
                let node = self.any(depth + 1)?;
                match self.next() {
                    Some((Token::Close, _)) => Ok(node),
                    Some((_, column)) => Err(Fault::new(column, "expected `and`, `or` or `)`", "join comparisons by `and` or `or`")),
                    None => Err(Fault::new(opened, "this parenthesis is not closed", "close it with `)`")),
                }
            }
            Some((Token::Word(name), column)) => self.comparison(&name, column),
            Some((_, column)) => Err(Fault::new(column, "expected a key", EXAMPLE)),
            None => Err(Fault::new(self.end, "expected a key", EXAMPLE)),
        }
    }

    fn comparison(&mut self, name: &str, column: usize) -> std::result::Result<Node, Fault> {
        let key = Key::parse(name, self.metrics).map_err(|unknown| Fault::new(column, unknown.what(), unknown.remedy))?;
        let (operator, placed) = match self.next() {
            Some((Token::Operator(operator), placed)) => (operator, placed),
            other => {
                let column = other.map_or(self.end, |(_, column)| column);
                return Err(Fault::new(column, format!("expected an operator after `{}`", names::quoted(name)), "one of = != < <= > >= ~"));
            }
        };
        let (text, at) = match self.next() {
            Some((Token::Word(text) | Token::Quoted(text), at)) => (text, at),
            other => {
                let column = other.map_or(self.end, |(_, column)| column);
                return Err(Fault::new(
                    column,
                    format!("expected a value to compare `{}` with", names::quoted(name)),
                    "text with spaces goes in quotes",
                ));
            }
        };
        // `nan` and `inf` are words here.
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let literal = Literal { text, number };
        check_order(&key, name, operator).map_err(|(what, remedy)| Fault::new(placed, what, remedy))?;
        check_value(&key, name, operator, &literal).map_err(|(what, remedy)| Fault::new(at, what, remedy))?;
        Ok(Node::Compare { key, operator, literal })
    }
}

/// What is wrong, and the way out.
type Wrong = (String, String);

fn check_order(key: &Key, name: &str, operator: Operator) -> std::result::Result<(), Wrong> {
    match key.kind() {
        Kind::Text | Kind::List if operator.is_order() => {
            Err((format!("`{name}` has no order"), "compare it by =, != or ~ (contains)".into()))
        }
        _ => Ok(()),
    }
}

fn check_value(key: &Key, name: &str, operator: Operator, literal: &Literal) -> std::result::Result<(), Wrong> {
    if operator == Operator::Contains {
        return Ok(());
    }
    if key.kind() == Kind::Number && literal.number.is_none() {
        let wrong = format!("`{name}` is compared with a number, not with `{}`", names::quoted(&literal.text));
        return Err((wrong, format!("write a number, such as `{name}>0.5`")));
    }
    if operator.is_order() {
        return Ok(());
    }
    match key {
        Key::Field(Field::State) => {
            let all = [Status::Fresh, Status::Running, Status::Stopped, Status::Failed, Status::Finished].map(Status::name);
            let wrong = || (format!("`{}` is not a state of a run", names::quoted(&literal.text)), format!("one of {}", all.join(", ")));
            if all.contains(&literal.text.as_str()) { Ok(()) } else { Err(wrong()) }
        }
        // An entry of a list cannot be checked by what the whole may be.
        Key::Config(path) if key.kind() != Kind::List => {
            let spec = &reference::key(path).expect("the key was looked up").spec;
            let mut candidates = Vec::new();
            candidates.extend(literal.text.parse().ok().map(toml::Value::Integer));
            candidates.extend(literal.number.map(toml::Value::Float));
            candidates.extend(literal.text.parse().ok().map(toml::Value::Boolean));
            candidates.push(toml::Value::String(literal.text.clone()));
            if candidates.iter().any(|value| spec.check(value).is_ok()) {
                return Ok(());
            }
            let why = spec.check(&candidates[0]).expect_err("no candidate was allowed");
            Err((format!("`{name}` never has this value: {why}"), format!("see `harness config explain {name}`")))
        }
        _ => Ok(()),
    }
}
