//! What a PDF holds as a stream.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};

/// The bytes for the filter `FlateDecode`: the same for the same content, whatever the machine.
pub fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("bytes are written to memory")
}
