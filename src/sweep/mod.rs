//! Many runs from one file: what to run (a pure plan), what became of it (an append-only ledger), and doing it (child
//! processes).

mod study;

pub use study::{Against, Axis, Cell, Outcome, Published, Row, Study};
