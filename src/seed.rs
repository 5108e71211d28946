//! Random streams keyed by where a draw stands, never by when it is made.
//!
//! A stream is ChaCha8 seeded with the blake3 hash of (run seed, domain, epoch, index). Whatever draws item `index` of
//! `epoch`, in whichever thread and order, draws the same numbers; nothing needs to be saved to resume.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The stream of one place: `domain` names the purpose (`"pseudo"`, `"order"`, `"init/<parameter>"`), so that two
/// purposes never share numbers. Cost: one hash of some 50 bytes.
pub fn stream(seed: u64, domain: &str, epoch: u64, index: u64) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    for number in [seed, epoch, index, domain.len() as u64] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(domain.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// Two independent values of mean 0 and variance 1, the same bits on every machine.
///
/// Marsaglia's polar method: two uniforms u and v in (-1, 1), each the middle of one of 2^52 equal cells, are drawn until
/// `s = u^2 + v^2 < 1`; then `u f` and `v f` with `f = sqrt(-2 ln(s) / s)`. All of it is made of operations that IEEE 754 defines
/// to the last bit, the logarithm included.
pub fn normal_pair(stream: &mut impl Rng) -> [f64; 2] {
    // (2 n + 1) / 2^52 - 1 for n of 52 bits: exact, never 0, symmetric about 0.
    let mut uniform = || ((stream.next_u64() >> 12) as f64 + 0.5) / (1u64 << 51) as f64 - 1.0;
    loop {
        let (u, v) = (uniform(), uniform());
        let s = u * u + v * v;
        if s < 1.0 {
            let factor = (-2.0 * ln(s) / s).sqrt();
            return [u * factor, v * factor];
        }
    }
}

/// The natural logarithm of a normal positive number, to a few units in the last place. The standard library's depends on
/// the machine's C library; this one is sums, products and quotients.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52)); // [1, 2)
    let (m, e) = if mantissa > std::f64::consts::SQRT_2 { (mantissa / 2.0, exponent + 1) } else { (mantissa, exponent) };
    // ln m = 2 artanh t = 2 (t + t^3/3 + t^5/5 + …) with |t| <= 0.172: eleven terms leave 1e-19.
    let t = (m - 1.0) / (m + 1.0);
    let series = (0..11).rev().fold(0.0, |sum, k| sum * t * t + 1.0 / (2 * k + 1) as f64);
    e as f64 * std::f64::consts::LN_2 + 2.0 * t * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_each_part_of_its_place() {
        let first = |s, d, e, i| stream(s, d, e, i).next_u64();
        let here = first(1, "pseudo", 2, 3);
        assert_eq!(here, first(1, "pseudo", 2, 3));
        for elsewhere in [first(2, "pseudo", 2, 3), first(1, "order", 2, 3), first(1, "pseudo", 3, 3), first(1, "pseudo", 2, 4)] {
            assert_ne!(here, elsewhere);
        }
    }

    #[test]
    fn the_drawn_values_are_those_of_the_first_release() {
        // A change here changes every result: it needs a new METHOD_VERSION.
        let mut s = stream(0, "golden", 0, 0);
        assert_eq!([s.next_u64(), s.next_u64()], GOLDEN);
    }

    #[test]
    fn the_logarithm_is_the_standard_librarys_to_a_few_units_in_the_last_place() {
        let mut stream = stream(0, "ln", 0, 0);
        let uniform = (0..2000).map(|_| ((stream.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64);
        for x in uniform.chain([2f64.powi(-103), 0.5, 1.0 - f64::EPSILON, 1.0, std::f64::consts::SQRT_2, 1e10]) {
            assert!((ln(x) - x.ln()).abs() <= 4.0 * f64::EPSILON * x.ln().abs(), "{x}: {} {}", ln(x), x.ln());
        }
    }

    const GOLDEN: [u64; 2] = [6289165226140995935, 8422700263893421216];
}
