//! Durations, sizes, numbers and small tables as people read them.

use crate::names::in_line;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, presets};

/// A duration with its two leading units: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`.
/// Negative and not finite ones: `?`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".into();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (days, hours, minutes, rest) = (whole / 86400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest:02} s"),
        (0, _, _) => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A size in binary units with three significant digits or so: `512 B`, `1.4 GiB`, `220 MiB`.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (size as f64, 0);
    // 1023.95 would be shown as 1024.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 { format!("{value:.0} {}", UNITS[unit]) } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A number with four significant digits, trailing zeros kept so that columns do not jump: `0.6931`, `12.30`, `4128`,
/// `1.800e-5`; `NaN` and `inf` as such.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return format!("{value}");
    }
    if size == 0.0 {
        return "0.000".into();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    // Rounding to four digits may carry into the next power of ten; the exponent of the rounded number decides.
    let exponent: i32 = format!("{size:.3e}").rsplit('e').next().and_then(|e| e.parse().ok()).unwrap_or(0);
    format!("{value:.*}", (3 - exponent).max(0) as usize)
}

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    /// For numbers.
    Right,
}

/// The line below the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Ascii,
    Unicode,
}

/// An aligned table without frame or colours: a header, a rule, the rows, no newline at its end. `columns` are the
/// header's cells with the alignment of what stands below; missing cells of a row stay empty.
pub fn table<C: AsRef<str>>(columns: &[(&str, Align)], rows: &[Vec<C>], rule: Rule) -> String {
    let fill = match rule {
        Rule::Ascii => '-',
        Rule::Unicode => '─',
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(LineStyle::none().fill(fill)));
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(name, _)| *name));
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| in_line(cell.as_ref())).collect::<Vec<_>>()));
    for (index, (_, align)) in columns.iter().enumerate() {
        let Some(column) = table.column_mut(index) else { continue };
        // The frame's padding on the left of the table would indent it.
        column.set_padding((if index == 0 { 0 } else { 2 }, 0));
        column.set_cell_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_two_units_that_matter() {
        let shown = [0.04, 0.84, 9.94, 9.96, 59.6, 200.0, 3599.7, 7500.0, 86_399.9, 273_600.0].map(duration);
        assert_eq!(
            shown,
            ["0.0 s", "0.8 s", "9.9 s", "10 s", "1 min 00 s", "3 min 20 s", "1 h 00 min", "2 h 05 min", "1 d 0 h", "3 d 4 h"]
        );
        assert_eq!([-1.0, f64::NAN, f64::INFINITY].map(duration), ["?", "?", "?"]);
    }

    #[test]
    fn sizes_show_binary_units() {
        let shown = [0, 512, 1023, 1024, 1536, 230_686_720, 1 << 40, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "512 B", "1023 B", "1.0 KiB", "1.5 KiB", "220 MiB", "1.0 TiB", "16.0 EiB"]);
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
    }

    #[test]
    fn numbers_show_four_digits() {
        let shown = [0.0, 0.65432, 9.99996, 12.3, 4128.2, -0.5, 1.8e-5, 2.5e7, 123_456.0].map(number);
        assert_eq!(shown, ["0.000", "0.6543", "10.00", "12.30", "4128", "-0.5000", "1.800e-5", "2.500e7", "123456"]);
        assert_eq!([f64::NAN, f64::NEG_INFINITY].map(number), ["NaN", "-inf"]);
    }

    #[test]
    fn a_table_is_aligned_and_has_no_spaces_at_its_ends() {
        let rows = [vec!["bottle", "0.98"], vec!["metal nut", "0.9"], vec!["—"]];
        let shown = table(&[("category", Align::Left), ("AUROC", Align::Right)], &rows, Rule::Ascii);
        assert_eq!(shown, "category   AUROC\n----------------\nbottle      0.98\nmetal nut    0.9\n—");
        assert!(table(&[("a", Align::Left)], &[vec!["b"]], Rule::Unicode).contains("─"));
    }
}
