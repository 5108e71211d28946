//! Damage at random: bits, bytes, numbers, words, parts taken out, doubled, moved and mixed.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What inputs grow from.
pub struct Corpus {
    /// Inputs that are, or nearly are, what the parser wants.
    pub sound: Vec<Vec<u8>>,
    /// Words of its language.
    pub words: &'static [&'static str],
    /// Makes the damaged input look whole to the parser again, such as by its checksums.
    pub seal: fn(&[u8], &mut ChaCha8Rng) -> Vec<u8>,
}

/// No input grows beyond.
const LONGEST: usize = 1 << 20;

/// Written numbers at and beyond the edges.
const NUMBERS: [&str; 22] = [
    "0",
    "-1",
    "1",
    "2",
    "-0.0",
    "1e-320",
    "1e308",
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "-inf",
    "255",
    "256",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.1",
    "00",
];

/// The same in memory.
const EDGES: [u64; 12] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7fff_ffff_ffff_ffff];

impl Corpus {
    pub fn of(sound: Vec<Vec<u8>>, words: &'static [&'static str]) -> Self {
        Self { sound, words, seal: |bytes, _| bytes.to_vec() }
    }

    /// An input with one to eight places of damage.
    pub fn draw(&self, draws: &mut ChaCha8Rng) -> Vec<u8> {
        let mut input = self.sound[draws.random_range(0..self.sound.len())].clone();
        for _ in 0..1 << draws.random_range(0..4) {
            self.damage(&mut input, draws);
            input.truncate(LONGEST);
        }
        (self.seal)(&input, draws)
    }

    fn damage(&self, input: &mut Vec<u8>, draws: &mut ChaCha8Rng) {
        if input.is_empty() {
            input.extend_from_slice(b"\n");
        }
        let at = draws.random_range(0..input.len());
        // Short parts are what parsers stumble over; sometimes it is half the file.
        let most = if draws.random_bool(0.8) { 16 } else { input.len() };
        let end = (at + draws.random_range(1..=most)).min(input.len());
        match draws.random_range(0..10) {
            0 => input[at] ^= 1 << draws.random_range(0..8),
            1 => input[at] = draws.random_range(0..=255),
            2 => overwrite(input, at, draws),
            3 => drop(input.drain(at..end)),
            4 => {
                let part = input[at..end].to_vec();
                let times = 1 << draws.random_range(0..8);
                splice(input, end..end, &part.repeat(times));
            }
            5 => {
                let part = input[at..end].to_vec();
                let to = draws.random_range(0..=input.len());
                splice(input, to..to, &part);
            }
            6 => {
                let other = &self.sound[draws.random_range(0..self.sound.len())];
                let from = draws.random_range(0..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            7 | 8 if !self.words.is_empty() => {
                let word = self.words[draws.random_range(0..self.words.len())];
                let place = if draws.random() { at..at } else { at..end };
                splice(input, place, word.as_bytes());
            }
            9 => input.truncate(at),
            _ => number(input, at, draws),
        }
    }
}

/// A number of one to eight bytes at an edge, in either order of bytes.
fn overwrite(input: &mut [u8], at: usize, draws: &mut ChaCha8Rng) {
    let size = (1 << draws.random_range(0..4)).min(input.len() - at);
    let edge = EDGES[draws.random_range(0..EDGES.len())];
    let bytes = if draws.random() { edge.to_le_bytes()[..size].to_vec() } else { edge.to_be_bytes()[8 - size..].to_vec() };
    input[at..at + size].copy_from_slice(&bytes);
}

/// The first written number from `at` on becomes another one.
fn number(input: &mut Vec<u8>, at: usize, draws: &mut ChaCha8Rng) {
    let Some(begin) = input[at..].iter().position(u8::is_ascii_digit).map(|n| at + n) else { return };
    let length = input[begin..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    splice(input, begin..begin + length, NUMBERS[draws.random_range(0..NUMBERS.len())].as_bytes());
}

fn splice(input: &mut Vec<u8>, place: std::ops::Range<usize>, part: &[u8]) {
    if input.len() + part.len() <= LONGEST {
        input.splice(place, part.iter().copied());
    }
}
