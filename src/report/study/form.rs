//! What tables can be written as, and how much of them.

/// What a table can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Terminal,
    Markdown,
    Latex,
    Csv,
    Json,
    Html,
}

/// How much of a table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Form {
    /// Everything: differences with p, published figures, how the rows trained
    #[default]
    Full,
    /// As a paper prints it: mean ± deviation, best bold, a star where p < 0.05
    Paper,
    /// One line for each row and metric
    Long,
}

impl Format {
    /// Those of the files beside a sweep, with their endings.
    pub const FILES: [(Self, &'static str); 4] = [(Self::Markdown, "md"), (Self::Latex, "tex"), (Self::Csv, "csv"), (Self::Json, "json")];

    /// Whether a file is called as a table is.
    pub fn is_file(name: &str) -> bool {
        Self::FILES.iter().any(|(_, ending)| name.rsplit_once('.').is_some_and(|(_, found)| found == *ending))
    }

    /// The form of the files: LaTeX is for papers.
    pub fn form(self) -> Form {
        if self == Self::Latex { Form::Paper } else { Form::Full }
    }
}
