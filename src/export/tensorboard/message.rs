//! Protocol buffers by hand: the few messages of TensorBoard's `event.proto` and `summary.proto` that a run needs.
//!
//! Numbers of fields stand beside each use; they are those of `tensorboard/compat/proto/{event,summary,tensor}.proto`.

use crate::export::protobuf::Message;

/// What the file's first record says of its format.
pub const FILE_VERSION: &str = "brain.Event:2";

/// An event without content yet. `wall_time` in seconds since 1970.
pub fn event(wall_time: f64, step: u64) -> Message {
    Message::new().double(1, wall_time).int(2, step)
}

/// The wall time and the step of an event that [`event`] began; `None` for other bytes.
pub fn stamp(event: &[u8]) -> Option<(f64, u64)> {
    let rest = event.strip_prefix(&[1 << 3 | 1])?;
    let (wall_time, rest) = rest.split_first_chunk::<8>()?;
    let rest = rest.strip_prefix(&[2 << 3])?;
    let mut step = 0;
    for (index, byte) in rest.iter().take(10).enumerate() {
        step |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((f64::from_le_bytes(*wall_time), step));
        }
    }
    None
}

/// The event that opens a file.
pub fn opening(wall_time: f64) -> Message {
    event(wall_time, 0).text(3, FILE_VERSION)
}

/// Tells a reader of an earlier file of the same run that it no longer holds: all steps from 0 on come again.
pub fn restart(wall_time: f64) -> Message {
    const START: u64 = 1;
    event(wall_time, 0).message(7, &Message::new().int(1, START))
}

/// An event with values.
pub fn summary(wall_time: f64, step: u64, values: impl IntoIterator<Item = Message>) -> Message {
    event(wall_time, step).message(5, &Message::new().each(1, values))
}

/// A number, single precision as TensorBoard stores it.
pub fn scalar(tag: &str, value: f64) -> Message {
    Message::new().text(1, tag).float(2, value as f32)
}

/// A PNG; `None` where `png` is not one.
pub fn png(tag: &str, png: &[u8]) -> Option<Message> {
    // The signature, then the header chunk: length, `IHDR`, width, height (big-endian), bit depth, kind of colour.
    let header = png.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(4..)?.strip_prefix(b"IHDR")?;
    let number = |at: usize| Some(u64::from(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?)));
    // TensorBoard counts channels: grey, grey and alpha, RGB, RGB and alpha.
    let channels = match header.get(9)? {
        0 => 1,
        4 => 2,
        6 => 4,
        _ => 3,
    };
    Some(picture(tag, [number(0)?, number(4)?, channels], png))
}

/// An encoded picture of this width, height and number of channels.
pub fn picture(tag: &str, [width, height, channels]: [u64; 3], bytes: &[u8]) -> Message {
    let picture = Message::new().int(1, height).int(2, width).int(3, channels).bytes(4, bytes);
    Message::new().text(1, tag).message(4, &picture)
}

/// Data of a plugin: bytes in the metadata of a value whose tensor is empty.
pub fn plugin(tag: &str, plugin: &str, content: &Message) -> Message {
    const CLASS_TENSOR: u64 = 2;
    const FLOAT: u64 = 1;
    let data = Message::new().text(1, plugin).message(2, content);
    let metadata = Message::new().message(1, &data).int(4, CLASS_TENSOR);
    // float32, one dimension of size 0
    let tensor = Message::new().int(1, FLOAT).message(2, &Message::new().message(2, &Message::new()));
    Message::new().text(1, tag).message(8, &tensor).message(9, &metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_are_those_that_protobuf_gives() {
        // By Python: event_pb2.Event(wall_time=1.5, step=300, summary=...).SerializeToString().hex() with one value
        // tag="a", simple_value=0.5 (tensorboard 2.21).
        let ours = summary(1.5, 300, [scalar("a", 0.5)]);
        let hex: String = ours.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "09000000000000f83f10ac022a0a0a080a0161150000003f");
        assert_eq!(&opening(0.0).as_bytes()[11..], b"\x1a\x0dbrain.Event:2");
    }

    #[test]
    fn bytes_that_are_not_a_png_are_not_an_image() {
        for bytes in [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0"] {
            assert!(png("x", bytes).is_none());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn an_event_tells_its_time_and_step(time in 0.0f64..4e9, step: u64) {
            prop_assert_eq!(stamp(event(time, step).as_bytes()), Some((time, step)));
            prop_assert_eq!(stamp(summary(time, step, [scalar("t", 1.0)]).as_bytes()), Some((time, step)));
        }

        #[test]
        fn any_bytes_have_a_stamp_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            stamp(&bytes);
        }
    }
}
