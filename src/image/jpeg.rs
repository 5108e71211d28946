//! How far a JPEG file goes: its markers walked as decoders walk them (ITU-T T.81, annex B).
//!
//! Decoders paint what a cut file lacks in grey and say nothing. A search for the end marker does not tell either: a thumbnail, or a
//! second picture behind a cut one, has an end marker of its own, and what follows the true one may be anything.

/// Scans of a progressive file; encoders make about ten, and each costs a decoder as much as a picture.
const MOST_SCANS: usize = 100;

/// Why a file is not one whole picture; `None` where it is. What follows the end of the picture is not looked at.
pub fn fault(bytes: &[u8]) -> Option<&'static str> {
    const CUT: &str = "is truncated: its JPEG data have no end";
    let mut at = 2; // behind the start of the image
    let mut scans = 0;
    loop {
        // Markers may be preceded by fill bytes; stray bytes before one are passed over, as decoders do.
        at += bytes.get(at..).unwrap_or_default().iter().position(|&byte| byte == 0xff).unwrap_or(bytes.len());
        at += bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|&&byte| byte == 0xff).count());
        let Some(&marker) = bytes.get(at) else { return Some(CUT) };
        at += 1;
        match marker {
            0xd9 if scans > 0 => return None,
            0xd9 => return Some("holds no picture: its JPEG data end before they begin"),
            0xd8 => return Some("is truncated: another picture begins in the middle of its JPEG data"),
            0x00 | 0x01 | 0xd0..=0xd7 => continue,
            _ => {}
        }
        let Some(&[high, low]) = bytes.get(at..at + 2) else { return Some(CUT) };
        at += usize::from(u16::from_be_bytes([high, low]));
        if at > bytes.len() {
            return Some(CUT);
        }
        if marker == 0xda {
            scans += 1;
            if scans > MOST_SCANS {
                return Some("has more than 100 scans: no encoder makes so many");
            }
            at += entropy(&bytes[at..]);
        }
    }
}

/// The length of the data behind the header of a scan: up to the next marker that is neither a stuffed byte nor a restart.
fn entropy(bytes: &[u8]) -> usize {
    let ends = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff | 0xd0..=0xd7);
    bytes.windows(2).position(ends).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of markers alone: a table, a scan with a stuffed byte and a restart, the end.
    fn whole() -> Vec<u8> {
        let scan = [0xff, 0xda, 0, 3, 7, 1, 2, 0xff, 0x00, 3, 0xff, 0xd0, 4, 5];
        [&[0xff, 0xd8, 0xff, 0xdb, 0, 4, 0xff, 0xd9][..], &scan, &[0xff, 0xd9]].concat()
    }

    #[test]
    fn the_end_is_where_the_markers_end_and_not_where_its_bytes_occur() {
        let picture = whole();
        assert_eq!(fault(&picture), None);
        for trailer in [&b"\xff\xda and more"[..], b"\xff\xff\xff", b"text", &picture] {
            assert_eq!(fault(&[&picture, trailer].concat()), None, "{trailer:?}");
        }
        for keep in 2..picture.len() {
            assert!(fault(&picture[..keep]).is_none_or(|why| why.contains("truncated")) && keep < picture.len(), "{keep}");
            if keep > 4 {
                assert!(fault(&picture[..keep]).is_some(), "{keep}");
            }
        }
        let cut = &picture[..picture.len() - 4];
        assert!(fault(&[cut, &picture].concat()).unwrap().contains("another picture"));
    }

    #[test]
    fn a_picture_without_a_scan_and_one_of_too_many_are_refused() {
        assert!(fault(&[0xff, 0xd8, 0xff, 0xd9]).unwrap().contains("no picture"));
        let scan = [0xff, 0xda, 0, 3, 7, 1, 2];
        let of = |scans: usize| [&[0xff, 0xd8][..], &scan.repeat(scans), &[0xff, 0xd9]].concat();
        assert_eq!(fault(&of(10)), None);
        assert!(fault(&of(MOST_SCANS + 1)).unwrap().contains("scans"));
    }
}
