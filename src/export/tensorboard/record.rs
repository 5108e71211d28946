//! TFRecord framing: the envelope of TensorBoard's event files.
//!
//! A record is, little-endian: length of the payload (u64), masked CRC of those eight bytes (u32), payload, masked CRC of
//! the payload (u32). The CRC is CRC-32C (Castagnoli, RFC 3720 appendix B.4); the mask is of TensorFlow's
//! `core/lib/hash/crc32c.h`, so that a CRC over bytes that hold CRCs keeps its strength.

const POLYNOMIAL: u32 = 0x82f6_3b78; // Castagnoli's, bits reversed
const MASK_DELTA: u32 = 0xa282_ead8;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// CRC-32C of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8)
}

/// The CRC as a record holds it.
pub fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA)
}

/// One payload as a record.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(payload.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked(&length).to_le_bytes());
    record.extend_from_slice(payload);
    record.extend_from_slice(&masked(payload).to_le_bytes());
    record
}

/// The payloads at the beginning of a file, up to the first record that is torn or damaged.
pub fn payloads(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((payload, rest)) = next(bytes) {
        found.push(payload);
        bytes = rest;
    }
    found
}

fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (check, rest) = rest.split_first_chunk::<4>()?;
    if masked(length) != u32::from_le_bytes(*check) {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let (check, rest) = rest.split_first_chunk::<4>()?;
    (masked(payload) == u32::from_le_bytes(*check)).then_some((payload, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bit by bit, as the polynomial division is defined.
    fn slow(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = crc >> 1 ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
            }
        }
        !crc
    }

    #[test]
    fn the_crc_is_the_one_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&[0u8; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
            (&falling, 0x113f_db5c),
            (b"123456789", 0xe306_9283),
        ] {
            assert_eq!(crc32c(bytes), crc);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_table_gives_what_the_division_gives(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(crc32c(&bytes), slow(&bytes));
        }

        #[test]
        fn records_read_back_up_to_where_the_file_is_torn_or_damaged(
            all in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..5),
            at: proptest::sample::Index,
            flip in 1u8..=255,
        ) {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for payload in &all {
                bytes.extend(frame(payload));
                ends.push(bytes.len());
            }
            prop_assert_eq!(payloads(&bytes), all.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let at = at.index(bytes.len());
            let whole = ends.iter().filter(|end| **end <= at).count();
            prop_assert_eq!(payloads(&bytes[..at]).len(), whole);
            bytes[at] ^= flip;
            prop_assert_eq!(payloads(&bytes).len(), whole);
        }
    }
}
