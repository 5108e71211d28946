//! A worker among others that carry out the same plan: where it begins, so that they don't all want the same run first, and when it ends.

use std::str::FromStr;

/// The K-th of N parts, K from 1. It says where a worker begins and not what it may do: each goes on to what the others leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    part: usize,
    of: usize,
}

/// What is done about runs that other processes are at, once nothing else is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Waited for.
    Await,
    /// Left to them.
    Leave,
}

impl Share {
    /// A worker that is alone.
    pub const WHOLE: Self = Self { part: 1, of: 1 };

    /// The places `0..count`, from this part's first one on and around.
    pub fn order(self, count: usize) -> impl Iterator<Item = usize> {
        let first = (self.part - 1) * count / self.of;
        (first..count).chain(0..first)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((part, of)) if (1..=of).contains(&part) => Ok(Self { part, of }),
            _ => Err("K/N is the K-th of N workers, such as 2/8; K goes from 1 to N".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_begins_elsewhere_and_goes_through_all() {
        let order = |text: &str, count: usize| text.parse::<Share>().unwrap().order(count).collect::<Vec<_>>();
        assert_eq!(order("1/2", 5), [0, 1, 2, 3, 4]);
        assert_eq!(order("2/2", 5), [2, 3, 4, 0, 1]);
        assert_eq!(order("8/8", 3), [2, 0, 1], "more workers than runs");
        assert!(order("3/4", 0).is_empty());
        assert_eq!(Share::WHOLE.order(2).collect::<Vec<_>>(), [0, 1]);
        let firsts: Vec<usize> = (1..=4).map(|k| order(&format!("{k}/4"), 12)[0]).collect();
        assert_eq!(firsts, [0, 3, 6, 9]);
        for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
