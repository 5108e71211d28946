//! Plain stroke letters for the prints: segments on a grid four wide and six high.

/// Two end points.
pub type Segment = [[f32; 2]; 2];

/// The bars of a seven-segment figure: top, upper right, lower right, bottom, lower left, upper left, middle.
const BARS: [Segment; 7] = [
    [[0.0, 0.0], [4.0, 0.0]],
    [[4.0, 0.0], [4.0, 3.0]],
    [[4.0, 3.0], [4.0, 6.0]],
    [[0.0, 6.0], [4.0, 6.0]],
    [[0.0, 3.0], [0.0, 6.0]],
    [[0.0, 0.0], [0.0, 3.0]],
    [[0.0, 3.0], [4.0, 3.0]],
];

/// Bars of each digit, as bits.
const DIGITS: [u8; 10] = [0b0111111, 0b0000110, 0b1011011, 0b1001111, 0b1100110, 0b1101101, 0b1111101, 0b0000111, 0b1111111, 0b1101111];

/// The strokes of `text` (digits, K, L and X) with its upper left at `origin`, `advance` px a letter, `size` px a unit.
pub fn text(text: &str, origin: [f32; 2], advance: f32, size: f32) -> Vec<Segment> {
    let mut out = Vec::new();
    for (n, letter) in text.chars().enumerate() {
        let place = |[x, y]: [f32; 2]| [origin[0] + n as f32 * advance + size * x, origin[1] + size * y];
        out.extend(strokes(letter).iter().map(|&[a, b]| [place(a), place(b)]));
    }
    out
}

fn strokes(letter: char) -> Vec<Segment> {
    match letter {
        'K' => vec![[[0.0, 0.0], [0.0, 6.0]], [[4.0, 0.0], [0.0, 3.4]], [[1.3, 2.4], [4.0, 6.0]]],
        'L' => vec![[[0.0, 0.0], [0.0, 6.0]], [[0.0, 6.0], [4.0, 6.0]]],
        // In the middle, where a seven-segment one would leave a gap.
        '1' => vec![[[2.0, 0.0], [2.0, 6.0]]],
        'X' => vec![[[0.0, 0.0], [4.0, 6.0]], [[4.0, 0.0], [0.0, 6.0]]],
        _ => {
            let bits = letter.to_digit(10).map_or(0, |d| DIGITS[d as usize]);
            (0..7).filter(|bar| bits >> bar & 1 == 1).map(|bar| BARS[bar]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_has_its_own_bars_and_stays_in_its_cell() {
        for (digit, bars) in DIGITS.iter().enumerate() {
            let here = text(&digit.to_string(), [1.0, 2.0], 9.0, 2.0);
            assert!(here.iter().flatten().all(|&[x, y]| (1.0..=9.0).contains(&x) && (2.0..=14.0).contains(&y)));
            assert!(!DIGITS[..digit].contains(bars));
        }
    }
}
